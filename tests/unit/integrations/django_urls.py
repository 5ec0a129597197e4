"""Pages of the Django site that test_django.py visits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path

from target import MetricType, Notification, NotificationMbox
from target.integrations.django import TargetRequest, browser_path

ASKED: Any = {"execute": {"mboxes": [{"name": "home"}]}}
SHOWN = Notification(id="n", type=MetricType.DISPLAY, timestamp=1, mbox=NotificationMbox(name="home"), tokens=["t"])


def home(request: TargetRequest) -> JsonResponse:
    results = [request.target.get_offers(request=ASKED) for _ in range(2)]
    mbox = results[0].mbox("home")
    return JsonResponse({"mbox": mbox and mbox.name, "handle": request.target.handle([SHOWN])})


async def awaited(request: TargetRequest) -> JsonResponse:
    results = await asyncio.gather(*(request.target.aget_offers(request=ASKED) for _ in range(3)))
    mbox = results[0].mbox("home")
    return JsonResponse({"mbox": mbox and mbox.name, "handle": request.target.handle([SHOWN])})


def nothing(request: TargetRequest) -> HttpResponse:
    return HttpResponse("nothing")


def gone(request: TargetRequest) -> HttpResponse:
    request.target.get_offers(request=ASKED)
    raise Http404


def failing(request: TargetRequest) -> HttpResponse:
    request.target.get_offers(request=ASKED)
    raise ValueError("of the page")


def moved(request: TargetRequest) -> HttpResponse:
    request.target.get_offers(request=ASKED)
    answer = HttpResponseRedirect("/", headers={"Cache-Control": "public, max-age=9", "Vary": "Accept"})
    answer.set_cookie("own", "1")
    return answer


def streamed(request: TargetRequest) -> StreamingHttpResponse:
    result = request.target.get_offers(request=ASKED)

    def parts() -> Iterator[str]:
        yield "nothing" if result.response is None else "streamed"

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("", home),
    path("awaited", awaited),
    path("nothing", nothing),
    path("gone", gone),
    path("failing", failing),
    path("moved", moved),
    path("streamed", streamed),
    browser_path("seen"),
]
