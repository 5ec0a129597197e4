"""What is told of each row: the columns of the output, built of the outcomes that rows have.

Most columns are dictionaries: the texts that occur, each once, and a number for each row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from target.batch.audiences import build_request, named_parameters
from target.batch.extra import demand
from target.batch.plan import Choice, Outcome, Plan
from target.batch.rows import Rows
from target.decisioning.artifact import Artifact
from target.decisioning.consequence import EXECUTE
from target.decisioning.geo import build_geo_tokens, geo_of
from target.decisioning.macros import list_keys
from target.decisioning.outcomes import as_id
from target.decisioning.rules import Rule

pa = demand("pyarrow", "target.batch")
pc = demand("pyarrow.compute", "target.batch")

_WORDS = pa.dictionary(pa.int32(), pa.string())
#: The columns, in order.
SCHEMA = pa.schema(
    [
        *((name, _WORDS) for name in ("visitor", "mbox", "status", "activity_id", "activity_name")),
        *((name, _WORDS) for name in ("experience_id", "experience_name", "option_id", "option_name")),
        *((name, _WORDS) for name in ("option_type", "content")),
        ("bucket", pa.float64()),
        ("rule_key", _WORDS),
        ("error", pa.string()),
    ]
)
#: The column that there is besides on request.
RESPONSE_TOKENS = pa.field("response_tokens", _WORDS)

_MOST_FIXED = 16
_OF_META = {
    "activity_name": "activity.name",
    "experience_id": "experience.id",
    "experience_name": "experience.name",
    "option_id": "option.id",
    "option_name": "option.name",
}


class Answers:
    """Builds the output of one plan.

    Args:
        plan: What decides.
        artifact: What is decided from.
        response_tokens: Whether there is a column of them.
    """

    def __init__(self, plan: Plan, artifact: Artifact, *, response_tokens: bool) -> None:
        self.schema = SCHEMA.append(RESPONSE_TOKENS) if response_tokens else SCHEMA
        self._plan = plan
        self._geo_tokens = artifact.geo_tokens if response_tokens else ()
        self._mboxes = [outcome.mbox for outcome in plan.outcomes if outcome.rule is None]
        self._fixed: dict[tuple[int, ...], dict[str, Any]] = {}  # by outcomes that occur
        self._patterns: dict[int, tuple[Any, Any, Any]] = {}  # by how many rows there are
        of_place = {number for number, source in enumerate(plan.sources) if source.root == "geo"}
        self._places = tuple(sorted(of_place))

    def build(self, rows: Rows, choices: list[Choice], numbers: Sequence[int]) -> Any:
        """The output for ``rows``, which have these ``numbers``: an Arrow RecordBatch."""
        problems = rows.problems(numbers)
        turns, owners, names = self._pattern(rows.count)
        is_bad = pc.is_valid(problems) if problems.null_count < rows.count else None
        outcomes = pa.concat_arrays([_without(choice.outcomes, is_bad) for choice in choices]).take(turns)
        places = pa.concat_arrays([_without(choice.places, is_bad) for choice in choices]).take(turns)
        visitors = rows.buckets.visitors
        columns = {
            "visitor": pa.DictionaryArray.from_arrays(visitors.indices.take(owners), visitors.dictionary),
            "mbox": names,
            "bucket": pc.divide(places.cast(pa.float64()), 100.0),
            "error": pa.nulls(len(owners), pa.string()) if is_bad is None else problems.take(owners),
        }
        present = tuple(sorted(number for number in pc.unique(outcomes).to_pylist() if number is not None))
        fixed = self._fixed_of(present)
        positions = _positions(outcomes, present)
        for name, (codes, words) in fixed.items():
            columns[name] = pa.DictionaryArray.from_arrays(codes.take(positions), words)
        for name, tells in (("content", self._written), ("response_tokens", self._told)):
            if name in fixed:
                columns[name] = self._anew(columns[name], rows, outcomes, owners, tells, present)
        return pa.RecordBatch.from_arrays([columns[name] for name in self.schema.names], schema=self.schema)

    def _pattern(self, count: int) -> tuple[Any, Any, Any]:
        """For so many rows: where what stands mbox by mbox is row by row; the row of each; the mbox of each."""
        pattern = self._patterns.get(count)
        if pattern is None:
            size = len(self._mboxes)
            total = pa.array(range(count * size), pa.int32())
            owners = pc.divide(total, size)
            turn = pc.subtract(total, pc.multiply(owners, size))
            words = pa.array(self._mboxes, pa.string())
            names = pa.DictionaryArray.from_arrays(turn, words)
            pattern = (pc.add(pc.multiply(turn, count), owners), owners, names)
            self._patterns = {count: pattern}  # of the last count alone; other threads may have another
        return pattern

    def _fixed_of(self, present: tuple[int, ...]) -> dict[str, Any]:
        """By column: for each outcome that occurs the number of its text, and the texts."""
        fixed = self._fixed.get(present)
        if fixed is None:
            if len(self._fixed) > _MOST_FIXED:
                self._fixed = {}
            told = [self._tell(self._plan.outcomes[number]) for number in present]
            names = [field.name for field in self.schema if field.name in _TOLD]
            fixed = self._fixed[present] = {name: _numbered(row[name] for row in told) for name in names}
        return fixed

    def _tell(self, outcome: Outcome) -> dict[str, str | None]:
        told: dict[str, str | None] = dict.fromkeys(_TOLD)
        told["status"] = outcome.status
        rule = outcome.rule
        if rule is None:
            return told
        meta = rule.meta
        told |= {name: as_id(meta.get(key)) for name, key in _OF_META.items()}
        told |= {"activity_id": rule.activity_id, "rule_key": rule.key}
        option = _option_of(rule, {})
        if option is not None:
            told |= {"option_type": _as_text(option.get("type")), "content": _as_text(option.get("content"))}
            told["response_tokens"] = _as_text(option.get("responseTokens"))
        return told

    def _anew(
        self,
        column: Any,
        rows: Rows,
        outcomes: Any,
        owners: Any,
        tells: Callable[[Rule], tuple[tuple[int, ...], Callable[[tuple[Any, ...]], str | None]] | None],
        present: tuple[int, ...],
    ) -> Any:
        """``column`` with what depends on a visitor's values written anew: once for each set of those."""
        for number in present:
            outcome = self._plan.outcomes[number]
            told = None if outcome.rule is None else tells(outcome.rule)
            if told is None:
                continue
            reads, write = told
            found = rows.sets(reads)
            mask = pc.fill_null(pc.equal(outcomes, number), False)
            codes = found.codes.take(owners.filter(mask)).dictionary_encode()
            texts: dict[Any, int] = {text: place for place, text in enumerate(column.dictionary.to_pylist())}
            numbers = []
            for code in codes.dictionary.to_pylist():
                text = write(found.sets[code])
                numbers.append(None if text is None else texts.setdefault(text, len(texts)))
            renewed = pa.array(numbers, pa.int32()).take(codes.indices)
            indices = pc.replace_with_mask(column.indices, mask, renewed)
            column = pa.DictionaryArray.from_arrays(indices, pa.array(list(texts), pa.string()))
        return column

    def _written(self, rule: Rule) -> tuple[tuple[int, ...], Callable[[tuple[Any, ...]], str | None]] | None:
        """What writes the content of an option that has macros in it, which name parameters."""
        offer = next((offer for offer in rule.consequence.offers if offer.in_execute), None)
        if offer is None or offer.content is None:
            return None
        reads = named_parameters(list_keys(offer.wire.get("content")), self._plan.sources)
        paths = [self._plan.sources[number].path for number in reads]
        mbox = next(outcome.mbox for outcome in self._plan.outcomes if outcome.rule is rule)
        asked = {"index": self._mboxes.index(mbox), "name": mbox}  # as a client numbers those that it is given

        def write(values: tuple[Any, ...]) -> str | None:
            part = {**build_request(zip(paths, values, strict=True)), **asked}
            option = _option_of(rule, part)
            return None if option is None else _as_text(option.get("content"))

        return reads, write

    def _told(self, rule: Rule) -> tuple[tuple[int, ...], Callable[[tuple[Any, ...]], str | None]] | None:
        """What writes response tokens that say where the visitor is."""
        if not self._geo_tokens or not self._places or _option_of(rule, {}) is None:
            return None
        paths = [self._plan.sources[number].path for number in self._places]

        def write(values: tuple[Any, ...]) -> str | None:
            geo = geo_of(build_request(zip(paths, values, strict=True)))
            option = _option_of(rule, {}) or {}
            return _as_text({**option["responseTokens"], **build_geo_tokens(geo, self._geo_tokens)})

        return self._places, write


_TOLD = frozenset(SCHEMA.names) - {"visitor", "mbox", "bucket", "error"} | {RESPONSE_TOKENS.name}


def _option_of(rule: Rule, part: dict[str, Any]) -> dict[str, Any] | None:
    """The first option of what ``rule`` shows, as execute answers it."""
    return next(iter(rule.consequence.options(EXECUTE, part, {})), None)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without(column: Any, is_bad: Any) -> Any:
    return column if is_bad is None else pc.if_else(is_bad, None, column)


def _positions(outcomes: Any, present: tuple[int, ...]) -> Any:
    """For each row where its outcome stands among those that occur."""
    if present == tuple(range(len(present))):
        return outcomes
    return pc.index_in(outcomes, pa.array(present, pa.int32()))


def _numbered(texts: Iterable[str | None]) -> tuple[Any, Any]:
    words: dict[str, int] = {}
    numbers = [None if text is None else words.setdefault(text, len(words)) for text in texts]
    return pa.array(numbers, pa.int32()), pa.array(list(words), pa.string())
