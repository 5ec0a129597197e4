"""Pages of the Django site that test_django.py visits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from django.http import Http404, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path

from target.integrations.django import TargetRequest, browser_path
from tests.kit.calls import REQUEST
from tests.kit.pages import SHOWN


def home(request: TargetRequest) -> JsonResponse:
    results = [request.target.get_offers(request=REQUEST) for _ in range(2)]
    mbox = results[0].mbox("home")
    return JsonResponse({"mbox": mbox and mbox.name, "handle": request.target.handle([SHOWN])})


async def awaited(request: TargetRequest) -> JsonResponse:
    results = await asyncio.gather(*(request.target.aget_offers(request=REQUEST) for _ in range(3)))
    mbox = results[0].mbox("home")
    return JsonResponse({"mbox": mbox and mbox.name, "handle": request.target.handle([SHOWN])})


def nothing(request: TargetRequest) -> HttpResponse:
    return HttpResponse("nothing")


def gone(request: TargetRequest) -> HttpResponse:
    request.target.get_offers(request=REQUEST)
    raise Http404


def failing(request: TargetRequest) -> HttpResponse:
    request.target.get_offers(request=REQUEST)
    raise ValueError("of the page")


def moved(request: TargetRequest) -> HttpResponse:
    request.target.get_offers(request=REQUEST)
    answer = HttpResponseRedirect("/", headers={"Cache-Control": "public, max-age=9", "Vary": "Accept"})
    answer.set_cookie("own", "1")
    return answer


def streamed(request: TargetRequest) -> StreamingHttpResponse:
    result = request.target.get_offers(request=REQUEST)

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
