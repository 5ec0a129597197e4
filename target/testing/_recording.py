"""What vcrpy needs to record calls of clients and to play them back: see ``target_vcr_config``."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from target import OptionsError
from target.testing._scrubbing import HOST, scrub_request, scrub_response

if TYPE_CHECKING:
    from vcr.request import Request

Response = dict[str, Any]

_DELIVERY = "/rest/v1/delivery"
_GEO = "/v1/geo"
_RULES = re.compile(r"/[^/]+(?P<environment>/[^/]+/v1)(?P<token>/[^/]+)?/rules\.(?P<form>json|bin)")
_BODY = "body"  # the parameter that stands for the body
_OF_AN_ANSWER = {"edgeHost", "execute", "prefetch", "notifications", "client"}
_GEO_HEADERS = "x-geo-"
_ID_OF_PLACE = "x-geo-ip-address"


def target_vcr_config(secrets: Collection[str] = ()) -> dict[str, Any]:
    """Keyword arguments of ``vcr.VCR``, by which calls of clients are recorded without ids and found again.

    Of calls to Target (delivery, rules, places) every id, cookie, token, time and organization becomes a placeholder,
    in the query, the headers and both bodies, before anything is written. What is left of a body is part of the query,
    as a digest, so that vcrpy's usual matching tells calls apart. Other requests are left alone.

    Args:
        secrets: Texts to take out wherever they stand, such as the client code.

    Raises:
        OptionsError: ``secrets`` is one text, or holds something else than texts.
    """
    if isinstance(secrets, str) or not all(isinstance(secret, str) and secret for secret in secrets):
        raise OptionsError("secrets must be a list of texts that are not empty")
    scrubbing = _Scrubbing(tuple(secrets))
    return {
        "before_record_request": scrubbing.of_request,
        "before_record_response": scrubbing.of_response,
        "decode_compressed_response": True,
    }


class _Scrubbing(threading.local):
    """Both hooks. vcrpy calls that of the response, which it does not tell of what, after that of its request."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._part: str | None = None  # of Target, that the last request was for

    def of_request(self, request: Request) -> Request:
        """The request as it is written, and looked for."""
        parts = urlsplit(request.uri)
        self._part = _part_of(parts.path)
        if self._part is None:
            return request
        if self._part == "rules":
            path = _RULES.sub(_anonymous, parts.path)
            request.uri = f"{HOST}{path}"
        query = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key != _BODY]
        request.uri = f"{HOST}{urlsplit(request.uri).path}?{urlencode(query)}"
        request = scrub_request(request, self._secrets)
        if request.body:
            digest = hashlib.sha256(request.body).hexdigest()[:16]
            request.uri += f"{'&' if '?' in request.uri else '?'}{urlencode({_BODY: digest})}"
        return request

    def of_response(self, response: Response) -> Response:
        """The response as it is written."""
        part, self._part = self._part, None
        if part == "rules":
            return self._of_rules(response)
        if part == "geo":
            return self._of_geo(response)
        return scrub_response(response, self._secrets) if part or _is_answer(response) else response

    def _of_rules(self, response: Response) -> Response:
        """Rules decide by ids and times, so they stay as they are but for the account's name."""
        return {
            **_bare(response),
            "headers": _headers(response, lambda name: name in ("content-type", "etag")),
            "body": {"string": _masked(response["body"]["string"], self._secrets)},
        }

    def _of_geo(self, response: Response) -> Response:
        kept = _headers(response, lambda name: name == "content-type" or name.startswith(_GEO_HEADERS))
        if _ID_OF_PLACE in kept:
            kept[_ID_OF_PLACE] = ["0.0.0.0"]
        return {**_bare(response), "headers": kept, "body": response["body"]}


def _part_of(path: str) -> str | None:
    if path.endswith(_DELIVERY):
        return "delivery"
    if path == _GEO:
        return "geo"
    return "rules" if _RULES.fullmatch(path) else None


def _anonymous(found: re.Match[str]) -> str:
    return f"/CLIENT{found['environment']}{'/TOKEN' if found['token'] else ''}/rules.{found['form']}"


def _bare(response: Response) -> Response:
    return {"status": response["status"]}


def _headers(response: Response, is_kept: Any) -> dict[str, Any]:
    named = {name.lower(): values for name, values in response["headers"].items()}
    return {name: values for name, values in sorted(named.items()) if is_kept(name)}


def _masked(content: bytes, secrets: Collection[str]) -> bytes:
    try:
        rules = json.loads(content)
    except ValueError:
        return content
    if isinstance(rules, dict) and isinstance(rules.get("meta"), dict) and "clientCode" in rules["meta"]:
        rules["meta"]["clientCode"] = "CLIENT"
    text = json.dumps(rules)
    for secret in secrets:
        text = text.replace(json.dumps(secret)[1:-1], "SECRET")
    return text.encode()


def _is_answer(response: Response) -> bool:
    try:
        said = json.loads(response["body"]["string"])
    except (KeyError, TypeError, ValueError):
        return False
    return isinstance(said, dict) and "requestId" in said and bool(_OF_AN_ANSWER & said.keys())
