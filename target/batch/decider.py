"""Decides whole batches of visitors: Arrow in, Arrow out."""

from __future__ import annotations

import datetime
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from target.batch.answers import RESPONSE_TOKENS, SCHEMA, Answers
from target.batch.extra import demand
from target.batch.plan import Plan
from target.batch.rows import Rows
from target.batch.sources import Source, bind, name_sources
from target.decisioning.artifact import Artifact, parse_artifact_text
from target.errors import OptionsError

pa = demand("pyarrow", "target.batch")

_LEAST_ROWS, _MOST_ROWS = 1024, 32_768
_MOST_ANSWERS = 131_072


class BatchDecider:
    """Decides what visitors get, a row each, as a client with the same rules would.

    It may be pickled and sent to other processes and machines: it holds the rules as text, and compiles them once in
    each process. It may be shared by threads.

    Args:
        artifact: The rules: parsed JSON, its text or bytes, or the path of a file.
        mboxes: The mboxes that each row asks for.
        client: The client code; part of what allocates visitors.
        id_columns: The columns with ids of visitors, by what they are: ``tnt_id``, ``third_party_id``,
            ``marketing_cloud_visitor_id``. Text or whole numbers; where a row has several, they count as they do for a
            client.
        parameters: The columns with parameters of the mboxes, by the parameter's name; or a prefix, which makes every
            column that begins with it the parameter named by the rest.
        address: The columns ``url`` and ``referring_url`` of the page; or the one of its URL.
        user_agent: The column of the browser's user agent.
        geo: The columns ``country``, ``state``, ``city``, ``latitude`` and ``longitude``. Nothing is looked up.
        property_token: The property of all rows.
        at: When to decide: a datetime (UTC where it names no offset), epoch seconds, or the name of a column of
            moments. By default the moment when this is made.
        response_tokens: Whether to add a column ``response_tokens``, JSON.

    Raises:
        OptionsError: An option is none that it can be, or there is no such mbox in the rules.
        ArtifactError: The rules are none.
    """

    def __init__(
        self,
        artifact: Mapping[str, Any] | str | bytes | os.PathLike[str],
        *,
        mboxes: Sequence[str],
        client: str,
        id_columns: Mapping[str, str],
        parameters: Mapping[str, str] | str | None = None,
        address: Mapping[str, str] | str | None = None,
        user_agent: str | None = None,
        geo: Mapping[str, str] | None = None,
        property_token: str | None = None,
        at: datetime.datetime | float | str | None = None,
        response_tokens: bool = False,
    ) -> None:
        self._text = _read_text(artifact)
        self._client = _as_text("client", client)
        self._token = None if property_token is None else _as_text("property_token", property_token)
        self._now_s = _moment_of(at)
        self._sources, self._prefix = name_sources(
            id_columns=id_columns,
            parameters=parameters,
            address=address,
            user_agent=user_agent,
            geo=geo,
            at=at if isinstance(at, str) else None,
        )
        self._response_tokens = bool(response_tokens)
        self._begin()
        self.mboxes = _check_mboxes(mboxes, self._artifact())

    @property
    def schema(self) -> Any:
        """The schema of what comes out, a pyarrow.Schema."""
        return SCHEMA.append(RESPONSE_TOKENS) if self._response_tokens else SCHEMA

    @property
    def columns(self) -> list[str]:
        """The columns that are named, without those of a prefix."""
        return list(dict.fromkeys(source.column for source in self._sources))

    @property
    def rows_at_once(self) -> int:
        """How many rows a batch should have at most: enough for what is done once in each, few enough for memory."""
        return max(_LEAST_ROWS, min(_MOST_ROWS, _MOST_ANSWERS // len(self.mboxes)))

    def __call__(self, batch: Any, *, first_row: int = 1) -> Any:
        """Decide the rows of ``batch``.

        Args:
            batch: A pyarrow.RecordBatch, or a pyarrow.Table.
            first_row: The number of its first row, for what is said of bad ones.

        Returns:
            The same kind, with the columns of ``schema``: for each row, in order, the mboxes in the order given. A row
            that a client would refuse has the reason in ``error``, and no decision.

        Raises:
            OptionsError: A column is missing, or of a type that cannot be read.
        """
        if isinstance(batch, pa.Table):
            self.check(batch.schema)
            decided = []
            for each in batch.to_batches():
                decided.append(self(each, first_row=first_row))
                first_row += each.num_rows
            return pa.Table.from_batches(decided, self.schema)
        if not isinstance(batch, pa.RecordBatch):
            raise OptionsError(f"batch must be a pyarrow.RecordBatch, not {type(batch).__name__}")
        return self.decide(batch, range(first_row, first_row + batch.num_rows))

    def decide(self, batch: Any, numbers: Sequence[int]) -> Any:
        """The same for a RecordBatch whose rows have the ``numbers``, which are told of bad ones."""
        bound = bind(self._sources, self._prefix, batch.schema)
        plan, answers = self._plan([source for _, source in bound])
        rows = Rows(batch, bound, self._client)
        return answers.build(rows, plan.decide(rows), numbers)

    def check(self, schema: Any) -> list[str]:
        """Which columns of frames of the Arrow ``schema`` are read.

        Raises:
            OptionsError: A column is missing, or of a type that cannot be read.
        """
        return list(dict.fromkeys(source.column for _, source in bind(self._sources, self._prefix, schema)))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_compiled", "_plans")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __repr__(self) -> str:
        return f"<BatchDecider of {len(self.mboxes)} mboxes, {len(self._text):,} bytes of rules>"

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._compiled: Artifact | None = None
        self._plans: dict[tuple[Source, ...], tuple[Plan, Answers]] = {}

    def _artifact(self) -> Artifact:
        if self._compiled is None:
            self._compiled = parse_artifact_text(self._text)
        return self._compiled

    def _plan(self, sources: list[Source]) -> tuple[Plan, Answers]:
        """How rows with these sources are decided; made once, under a lock."""
        key = tuple(sources)
        with self._lock:
            if key not in self._plans:
                artifact = self._artifact()
                plan = Plan(artifact, self.mboxes, sources, self._token, self._now_s)
                self._plans[key] = plan, Answers(plan, artifact, response_tokens=self._response_tokens)
            return self._plans[key]


def _read_text(artifact: Any) -> bytes:
    """The text of the rules, however they are given."""
    if isinstance(artifact, Mapping):
        try:
            return json.dumps(dict(artifact)).encode()
        except (TypeError, ValueError, RecursionError) as error:
            problem = f"artifact is a dict that is no JSON: {type(error).__name__}"
        raise OptionsError(problem)
    if isinstance(artifact, bytes | bytearray):
        return bytes(artifact)
    if isinstance(artifact, str) and artifact.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return artifact.encode("utf-8", "surrogatepass")
    if not isinstance(artifact, str | os.PathLike):
        raise OptionsError(f"artifact must be a dict, JSON or a path, not {type(artifact).__name__}")
    try:
        return Path(artifact).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
    raise OptionsError(f"artifact: {os.fspath(artifact)!r} cannot be read: {reason}")


def _as_text(option: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise OptionsError(f"{option} must be text, not {value!r}")
    return value


def _moment_of(at: Any) -> float:
    if at is None or isinstance(at, str):
        return time.time()
    if isinstance(at, datetime.datetime):
        return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()
    if isinstance(at, bool) or not isinstance(at, int | float) or not abs(at) < 1e12:
        raise OptionsError(f"at must be a datetime, epoch seconds, or the name of a column, not {at!r}")
    return float(at)


def _check_mboxes(mboxes: Any, artifact: Artifact) -> tuple[str, ...]:
    if isinstance(mboxes, str) or not isinstance(mboxes, Sequence) or not mboxes:
        raise OptionsError(f"mboxes must be a list of names, not {mboxes!r}")
    for position, name in enumerate(mboxes):
        if not isinstance(name, str):
            raise OptionsError(f"mboxes must be a list of names; mboxes[{position}] is {type(name).__name__}")
        if name in mboxes[:position]:
            raise OptionsError(f"mboxes names {name!r} twice")
        known = (artifact.mboxes, artifact.local_mboxes or (), artifact.remote_mboxes)
        if not any(name in names for names in known):
            there = ", ".join(map(repr, [*artifact.mboxes][:12])) or "none"
            raise OptionsError(f"mboxes: the rules know no mbox {name!r}. They have: {there}")
    return tuple(mboxes)
