"""What a rule can ask about a call: page, browser, place, time, parameters. Each computed when first asked for.

A ``Visit`` is one call, a ``Scope`` one part of it (an mbox, the page load, a view) with its own parameters and
address. A Scope is a dict that fills itself, so that what no rule asks for is never computed, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from target.decisioning.address import host_of, parse_address, parse_query
from target.decisioning.allocation import Allocations
from target.decisioning.geo import build_geo_variables, build_places
from target.decisioning.user_agent import UserAgent, parse_client

_DAY_S = 86_400
# Nothing in a request names the visitor's language; Target's other SDKs tell rules the same.
_LOCALE = "en"

#: Variables of which Target's own readers hold two things, and the name under which a Scope has the second. The domain
#: of a page is its registrable domain to some, and its host to others; iPhone and iPad are browsers to some.
SECOND_READINGS = {
    "page.domain": "host of page",
    "page.domain_lc": "host of page",
    "referring.domain": "host of referring",
    "referring.domain_lc": "host of referring",
    "user.browserType": "device",
}
#: By the name of an address, what a Scope has its query's parameters under.
PARAMETERS = {"page": "parameters of page", "referring": "parameters of referring"}
#: What a Scope has the fields of ``geo`` under that are places, in the one spelling in which they are compared.
PLACES = "places"


class Visit(dict[str, Any]):
    """What holds for a whole call: variables by name, and the visitor's place in each activity."""

    __slots__ = ("allocations", "context", "geo", "now_s")

    def __init__(
        self, context: Mapping[str, Any], geo: Mapping[str, Any], allocations: Allocations, now_s: float
    ) -> None:
        self.context = context
        self.geo = geo
        self.allocations = allocations
        self.now_s = now_s

    def __missing__(self, name: str) -> Any:
        value = self[name] = _ALL_OF_A_CALL[name](self)
        return value

    def client(self) -> UserAgent:
        """The browser that the call is for."""
        return parse_client(self.context.get("userAgent"), self.context.get("clientHints"))


class Scope(dict[str, Any]):
    """The variables of one part of a call, by the first word of their names."""

    __slots__ = ("_data", "allocations", "part", "visit")

    def __init__(self, visit: Visit, part: Mapping[str, Any]) -> None:
        self.visit = visit
        self.part = part
        self.allocations = visit.allocations
        self._data: dict[str, dict[str, Any]] | None = None  # which hardly any rule asks for

    def __missing__(self, name: str) -> Any:
        value = self[name] = self.visit[name] if name in _ALL_OF_A_CALL else _ALL_OF_A_PART[name](self)
        return value

    def as_data(self, activity_id: str) -> dict[str, Any]:
        """Everything a rule of this activity can ask for, as plain data of its own; the same each time it asks."""
        if self._data is None:
            self._data = {}
        if activity_id not in self._data:
            data = {name: self[name] for name in (*_OF_A_CALL, *_OF_A_PART)}
            data = {name: dict(value) if isinstance(value, Mapping) else value for name, value in data.items()}
            self._data[activity_id] = {**data, "allocation": self.allocations[activity_id]}
        return self._data[activity_id]

    def address(self) -> Mapping[str, Any]:
        """The address of the part, else that of the call."""
        for owner in (self.part, self.visit.context):
            if isinstance(address := owner.get("address"), Mapping) and address:
                return address
        return {}


def build_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What rules read as ``mbox.*``: each parameter, and in lower case with ``_lc`` after its name.

    A name with dots is a path: ``favourite.colour`` is ``colour`` in ``favourite``. A name that starts or ends with a
    dot, or has two in a row, is no path and stays whole.
    """
    nested: dict[str, Any] = {}
    for name, value in parameters.items():
        holder = nested
        if "." in name and all(path := name.split(".")):
            *path, name = path
            for key in path:
                inner = holder.get(key)
                if not isinstance(inner, dict):
                    inner = holder[key] = {}
                holder = inner
        holder[name] = value
        holder[f"{name}_lc"] = value.lower() if isinstance(value, str) else value
    return nested


def parameters_of(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of an mbox, view or page load in wire form."""
    parameters = part.get("parameters")
    return parameters if parameters.__class__ is dict or isinstance(parameters, Mapping) else {}


def _user(visit: Visit) -> dict[str, Any]:
    found = visit.client()
    return {
        "browserType": found.browser,
        "platform": found.platform,
        "locale": _LOCALE,
        "browserVersion": found.version,
    }


def _time_of_day(visit: Visit) -> str:
    minutes = int(visit.now_s % _DAY_S) // 60
    return f"{minutes // 60:02}{minutes % 60:02}"


def _day_of_week(visit: Visit) -> int:
    return (int(visit.now_s) // _DAY_S + 3) % 7 + 1  # 1 January 1970 was a Thursday, and Monday is 1


_OF_A_CALL: dict[str, Callable[[Visit], Any]] = {
    "current_timestamp": lambda visit: int(visit.now_s * 1000),
    "current_time": _time_of_day,
    "current_day": _day_of_week,
    "user": _user,
    "geo": lambda visit: build_geo_variables(visit.geo),
}
_OF_A_PART: dict[str, Callable[[Scope], Any]] = {
    "page": lambda scope: parse_address(scope.address().get("url")),
    "referring": lambda scope: parse_address(scope.address().get("referringUrl")),
    "mbox": lambda scope: build_parameters(parameters_of(scope.part)),
}

# What rules do not see as a whole, nor a trace shows.
_ALL_OF_A_CALL: dict[str, Callable[[Visit], Any]] = {
    **_OF_A_CALL,
    "device": lambda visit: visit.client().device,
    PLACES: lambda visit: build_places(visit["geo"]),
}
_ALL_OF_A_PART: dict[str, Callable[[Scope], Any]] = {
    **_OF_A_PART,
    "host of page": lambda scope: host_of(scope["page"]["url"]),
    "host of referring": lambda scope: host_of(scope["referring"]["url"]),
    PARAMETERS["page"]: lambda scope: parse_query(scope["page"]["query"]),
    PARAMETERS["referring"]: lambda scope: parse_query(scope["referring"]["query"]),
}
