"""What is wrong with an artifact, or soon will be: rules that nobody reaches, shares that do not add up ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from target.decisioning.artifact import Artifact, parse_artifact
from target.decisioning.compile import compile_condition
from target.decisioning.findings import (
    ERROR,
    NOTE,
    SEVERITIES,
    WARNING,
    Finding,
    in_place,
    name_activity,
    name_rule,
    say_date,
    say_ranges,
)
from target.decisioning.places import Place, Places
from target.decisioning.ranges import PLACES, invert, places_in, reach_of, share_in
from target.decisioning.rivals import ALLOCATION, Claim, find_overlaps, find_sums, find_unreachable, group_claims
from target.decisioning.rules import Gap, Rule
from target.decisioning.variables import Undecidable
from target.reading import pointer_to

DAY_S = 86_400.0
ENDS_WITHIN_S = 14 * DAY_S
MAX_BYTES = 5_000_000
_TIME = "current_timestamp"
_MAX_DEPTH = 64


def lint(
    data: Any,
    *,
    now_s: float,
    size_bytes: int | None = None,
    ends_within_s: float = ENDS_WITHIN_S,
    max_bytes: int = MAX_BYTES,
) -> list[Finding]:
    """What there is to say of an artifact, the worst first, else in the order of the artifact.

    Args:
        data: The artifact as parsed JSON.
        now_s: Epoch seconds.
        size_bytes: How long its text is; None where that is not known.
        ends_within_s: An activity that ends sooner than this ends soon.
        max_bytes: A longer text is large.

    Raises:
        ArtifactError: It is no artifact.
    """
    artifact = parse_artifact(data)
    findings = [*_lint_size(size_bytes, max_bytes)]
    for kind, places in (("mboxes", artifact.mboxes), ("views", artifact.views)):
        for name in places:
            findings += _lint_gaps(kind, name, places[name], data["rules"][kind][name])
            findings += _lint_rules(kind, name, places[name], kind == "views" or name == artifact.global_mbox)
        findings += _lint_remote(kind, places, data)
    findings += _lint_dates(artifact, now_s, ends_within_s)
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def _lint_size(size_bytes: int | None, max_bytes: int) -> Iterator[Finding]:
    if size_bytes is not None and size_bytes > max_bytes:
        yield Finding(
            code="size",
            severity=WARNING,
            pointer="",
            message=f"The artifact has {size_bytes:,} bytes, more than {max_bytes:,}",
            advice="Every process fetches it anew whenever it changes: end activities that are over, shorten offers",
        )


def _lint_gaps(kind: str, name: str, place: Place, source: Any) -> Iterator[Finding]:
    """Rules that the engine cannot decide, with each operator or variable that it does not know."""
    for position, rule in enumerate(place.rules):
        if not isinstance(rule, Gap):
            continue
        if not isinstance(source, list):
            found = [(pointer_to("rules", kind, name), rule.why)]
        else:
            start = pointer_to("rules", kind, name, position)
            item = source[position]
            condition = item.get("condition") if isinstance(item, Mapping) else None
            found = list(_find_unknown(condition, f"{start}/condition")) or [(start, rule.why)]
        below = len(place.rules) - position - 1
        what = "this rule cannot"
        if below:
            what = f"neither this rule nor the {'one' if below == 1 else f'{below:,} rules'} below it can"
        for pointer, why in found:
            yield Finding(
                code="undecidable",
                severity=ERROR,
                pointer=pointer,
                message=f"In {in_place(kind, name)}, {why}: {what} be shown on the device",
                advice="Use a newer version of target-delivery, write the rule otherwise, or decide it as hybrid",
            )


def _find_unknown(logic: Any, pointer: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """The innermost parts of a condition that cannot be compiled, and why."""
    is_found = False
    if isinstance(logic, Mapping) and depth <= _MAX_DEPTH:
        for operator, arguments in logic.items():
            inside = pointer + pointer_to(operator)
            items = [(inside, arguments)]
            if isinstance(arguments, list):
                items = [(f"{inside}/{position}", item) for position, item in enumerate(arguments)]
            for item_pointer, item in items:
                for found in _find_unknown(item, item_pointer, depth + 1) if isinstance(item, Mapping) else ():
                    is_found = True
                    yield found
    if not is_found:
        try:
            compile_condition(logic, "")
        except (Undecidable, TypeError, ValueError, RecursionError) as error:
            yield pointer, str(error)


def _lint_rules(kind: str, name: str, place: Place, by_key: bool) -> Iterator[Finding]:
    for group in group_claims(place.rules, by_key=by_key):
        where = in_place(kind, name)
        yield from _lint_empty(kind, name, group)
        unreachable = [(claim, above) for claim, above in find_unreachable(group) if places_in(claim.wanted)]
        passed_over = {claim.position for claim, _ in unreachable}
        for claim, above in unreachable:
            rules = ", ".join(f"rule {each.position} ({name_rule(each.rule)})" for each in above[:3])
            more = f" and {len(above) - 3} more" if len(above) > 3 else ""
            yield Finding(
                code="unreachable",
                severity=ERROR,
                pointer=pointer_to("rules", kind, name, claim.position),
                message=f"In {where}, nobody gets {name_rule(claim.rule)}: "
                f"{rules}{more} above it {'takes' if len(above) == 1 else 'take'} all who could",
                advice="Move it up, or narrow what is above it" + (", or give it a key of its own" if by_key else ""),
            )
        for other, claim, common in find_overlaps(group):
            if claim.position in passed_over:
                continue
            yield Finding(
                code="overlap",
                severity=WARNING,
                pointer=pointer_to("rules", kind, name, claim.position),
                message=f"In {where}, {name_rule(claim.rule)} asks for {say_ranges(common)} of visitors, "
                f"which rule {other.position} ({name_rule(other.rule)}) takes first",
                advice="Let each share begin where the one before it ends",
            )
        yield from _lint_sums(kind, name, group)
        if by_key:
            yield from _lint_keys(kind, name, group)


def _lint_empty(kind: str, name: str, group: list[Claim]) -> Iterator[Finding]:
    for claim in group:
        if places_in(claim.wanted):
            continue
        asks = ALLOCATION in str(claim.rule.condition)
        yield Finding(
            code="empty-range" if asks else "never",
            severity=ERROR,
            pointer=pointer_to("rules", kind, name, claim.position, "condition"),
            message=f"In {in_place(kind, name)}, nobody gets {name_rule(claim.rule)}: "
            + ("the share that it asks for is empty" if asks else "its condition is never true"),
            advice="Let its share begin below its end, between 0 and 100" if asks else "Remove the rule, or correct it",
        )


def _lint_sums(kind: str, name: str, group: list[Claim]) -> Iterator[Finding]:
    for claims, given in find_sums(group):
        places = sum(stop - start for claim in claims for start, stop in places_in(claim.taken))
        missing = PLACES - sum(stop - start for start, stop in places_in(given))
        # Two shares that touch have one place in common, which overlaps say better.
        if not missing and (places <= PLACES + len(claims) or not all(claim.has_share for claim in claims)):
            continue
        total = sum(share_in(claim.taken) for claim in claims) * 100
        activity = name_activity(claims[0].rule)
        what = f": {missing / 100:g} % of its visitors ({say_ranges(invert(given))}) get none of it" if missing else ""
        yield Finding(
            code="allocation",
            severity=WARNING,
            pointer=pointer_to("rules", kind, name, claims[0].position),
            message=f"In {in_place(kind, name)}, the shares of {activity} add up to {total:.10g} %, not 100 %{what}",
            advice="Give its experiences 100 % together, unless a part of the visitors is left out on purpose",
        )


def _lint_keys(kind: str, name: str, group: list[Claim]) -> Iterator[Finding]:
    first = group[0]
    for claim in group[1:]:
        if claim.rule.activity_id != first.rule.activity_id:
            yield Finding(
                code="same-key",
                severity=WARNING,
                pointer=pointer_to("rules", kind, name, claim.position, "ruleKey"),
                message=f"In {in_place(kind, name)}, {name_activity(claim.rule)} has the key "
                f'"{claim.rule.key}" of {name_activity(first.rule)}: a visitor gets only one of them',
                advice="Give each activity keys of its own",
            )
            return


def _lint_remote(kind: str, places: Places, data: Mapping[str, Any]) -> Iterator[Finding]:
    """Mboxes or views that the server decides, and why."""
    title = kind.capitalize()
    remote, local = data.get(f"remote{title}"), data.get(f"local{title}")
    listed: set[str] = set()
    for position, name in enumerate(remote if isinstance(remote, list) else ()):
        if not isinstance(name, str) or name in listed:
            continue
        listed.add(name)
        why = (
            f"remote{title} names it, beside rules that the artifact has: some of its activities need the server"
            if name in places and places[name].rules
            else f"remote{title} names it, and the artifact has no rules for it: its activities need the server"
        )
        yield _remote(kind, name, pointer_to(f"remote{title}", position), why)
    if isinstance(local, list):
        for name in places:
            if name not in local and name not in listed:
                yield _remote(kind, name, pointer_to("rules", kind, name), f"local{title} does not name it")


def _remote(kind: str, name: str, pointer: str, why: str) -> Finding:
    return Finding(
        code="remote",
        severity=WARNING,
        pointer=pointer,
        message=f"Only the server can decide {in_place(kind, name)}: {why}",
        advice="Decide it as hybrid, or move what needs the server (Auto-Target, visitor profiles) to another place",
    )


def _lint_dates(artifact: Artifact, now_s: float, ends_within_s: float) -> Iterator[Finding]:
    """Activities that end soon or have ended, and single rules that have."""
    by_activity: dict[str, list[tuple[str, str, Rule, float]]] = {}
    for kind, places in (("mboxes", artifact.mboxes), ("views", artifact.views)):
        for name in places:
            for position, rule in enumerate(places[name].rules):
                if isinstance(rule, Rule) and (times := reach_of(rule.condition, _TIME).perhaps):
                    row = (pointer_to("rules", kind, name, position), in_place(kind, name), rule, times[-1][1] / 1000)
                    by_activity.setdefault(rule.activity_id, []).append(row)
    for rows in by_activity.values():
        pointer, _, rule, _ = rows[0]
        last_s = max(end_s for *_, end_s in rows)
        if last_s < now_s:
            message = f"{name_activity(rule)} ended at {say_date(last_s)}"
            yield Finding(code="ended", severity=WARNING, pointer=pointer, message=message, advice="Deactivate it")
            continue
        if last_s <= now_s + ends_within_s:
            message = f"{name_activity(rule)} ends at {say_date(last_s)}"
            advice = "Prolong it, or see what its places show afterwards"
            yield Finding(code="ends-soon", severity=WARNING, pointer=pointer, message=message, advice=advice)
        for pointer, where, rule, end_s in rows:
            if end_s < now_s:
                message = f"In {where}, {name_rule(rule)} ended at {say_date(end_s)}"
                yield Finding(code="rule-ended", severity=NOTE, pointer=pointer, message=message, advice="Remove it")
