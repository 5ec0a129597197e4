"""What the columns of a frame say of visitors: which are read, as what, and which types of Arrow each may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from target.batch.extra import demand
from target.errors import OptionsError

pa = demand("pyarrow", "target.batch")

# What a column is read as.
ID = "id"
PARAMETER = "parameter"
TEXT = "text"
NUMBER = "number"
MOMENT = "moment"

#: The ids of a visitor in the order in which they count, and what they are called in a request.
IDS = {"marketing_cloud_visitor_id": "marketingCloudVisitorId", "tnt_id": "tntId", "third_party_id": "thirdPartyId"}
ADDRESSES = {"url": "url", "referring_url": "referringUrl"}
PLACES = {
    "country": "countryCode",
    "state": "stateCode",
    "city": "city",
    "latitude": "latitude",
    "longitude": "longitude",
}
_NUMBERS = ("latitude", "longitude")
_WORDS = {
    ID: "text or whole numbers",
    PARAMETER: "text, numbers, flags, days or moments",
    TEXT: "text",
    NUMBER: "numbers",
    MOMENT: "moments (timestamps)",
}


class Source(NamedTuple):
    """A column, and what it says of a visitor.

    Attributes:
        column: Its name in the frame.
        path: Where its values stand in a request: ``("parameters", "level")``, ``("context", "geo", "city")``.
        kind: What it is read as.
    """

    column: str
    path: tuple[str, ...]
    kind: str

    @property
    def root(self) -> str:
        """What variables that read it begin with."""
        return _ROOTS.get(self.path) or _ROOTS.get(self.path[:2]) or _ROOTS[self.path[:1]]

    def __str__(self) -> str:
        name = ".".join(self.path)
        return name if self.path[-1] == self.column else f"{name} (column {self.column!r})"


_ROOTS = {
    ("id",): "id",
    ("parameters",): "mbox",
    ("context", "address", "url"): "page",
    ("context", "address", "referringUrl"): "referring",
    ("context", "userAgent"): "user",
    ("context", "geo"): "geo",
    ("at",): "at",
}


def name_sources(
    *,
    id_columns: Mapping[str, str],
    parameters: Mapping[str, str] | str | None,
    address: Mapping[str, str] | str | None,
    user_agent: str | None,
    geo: Mapping[str, str] | None,
    at: str | None,
) -> tuple[list[Source], str | None]:
    """The columns that the options of a BatchDecider name, and the prefix of those that are parameters.

    Raises:
        OptionsError: An option is none that it can be.
    """
    given = _columns("id_columns", id_columns, IDS)
    if not given:
        raise OptionsError(f"id_columns must name the column of an id: one of {', '.join(IDS)}")
    sources = [Source(given[name], ("id", key), ID) for name, key in IDS.items() if name in given]
    if isinstance(address, str):
        address = {"url": address}
    for name, column in _columns("address", address, ADDRESSES).items():
        sources.append(Source(column, ("context", "address", ADDRESSES[name]), TEXT))
    if user_agent is not None:
        sources.append(Source(_column("user_agent", user_agent), ("context", "userAgent"), TEXT))
    for name, column in _columns("geo", geo, PLACES).items():
        kind = NUMBER if name in _NUMBERS else TEXT
        sources.append(Source(column, ("context", "geo", PLACES[name]), kind))
    if at is not None:
        sources.append(Source(_column("at", at), ("at",), MOMENT))
    if isinstance(parameters, str):
        return sources, _column("parameters", parameters)
    for name, column in _columns("parameters", parameters, None).items():
        sources.append(Source(column, ("parameters", name), PARAMETER))
    return sources, None


def bind(sources: list[Source], prefix: str | None, schema: Any) -> list[tuple[int, Source]]:
    """Where in frames of the Arrow ``schema`` each column stands.

    Raises:
        OptionsError: A column is not there, or twice, or of a type that cannot be read.
    """
    names: list[str] = schema.names
    wanted = list(sources)
    if prefix is not None:
        wanted += [Source(name, ("parameters", name.removeprefix(prefix)), PARAMETER) for name in _begin(names, prefix)]
    bound = []
    for source in wanted:
        found = schema.get_all_field_indices(source.column)
        if len(found) != 1:
            problem = "has no column" if not found else "has more than one column"
            there = ", ".join(map(repr, names[:12])) or "none"
            raise OptionsError(f"The frame {problem} {source.column!r}, named for {_name(source)}. It has: {there}")
        kind = schema.field(found[0]).type
        if not _can_be_read(kind, source.kind):
            raise OptionsError(
                f"The column {source.column!r}, named for {_name(source)}, is of the type {kind}, which cannot be "
                f"read: it must hold {_WORDS[source.kind]}"
            )
        bound.append((found[0], source))
    return bound


def _begin(names: list[str], prefix: str) -> list[str]:
    found = [name for name in names if name.startswith(prefix) and name != prefix]
    if not found:
        there = ", ".join(map(repr, names[:12])) or "none"
        raise OptionsError(
            f"The frame has no column that begins with {prefix!r}, named for parameters. It has: {there}"
        )
    return found


def _name(source: Source) -> str:
    return ".".join(source.path)


def _columns(option: str, given: Any, known: Mapping[str, str] | None) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise OptionsError(f"{option} must be a dict that names columns, not {type(given).__name__}")
    for name, column in given.items():
        if not isinstance(name, str) or not name or (known is not None and name not in known):
            allowed = f"one of {', '.join(known)}" if known else "a name"
            raise OptionsError(f"{option}: {name!r} is not {allowed}")
        _column(f"{option}[{name!r}]", column)
    return dict(given)


def _column(option: str, column: Any) -> str:
    if not isinstance(column, str) or not column:
        raise OptionsError(f"{option} must be the name of a column, not {column!r}")
    return column


def _can_be_read(kind: Any, wanted: str) -> bool:
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return wanted in (ID, PARAMETER) and bool(kind.extension_name == "arrow.uuid")
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _can_be_read(kind.value_type, wanted)
    if types.is_null(kind):
        return True
    is_moment: bool = types.is_timestamp(kind) or types.is_date(kind)
    if wanted == MOMENT:
        return is_moment
    is_number: bool = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if wanted == NUMBER:
        return is_number
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return True
    if wanted == ID:
        return is_moment or (is_number and not types.is_floating(kind))
    return wanted == PARAMETER and (is_number or is_moment or bool(types.is_boolean(kind)))
