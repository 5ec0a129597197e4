"""An explanation as HTML, for notebooks: without style, script or link, and every value escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from target.decisioning.explanation import ExplainedClause, ExplainedPart, ExplainedRule, Explanation
from target.decisioning.explanation_text import (
    MOST_CLAUSES,
    MOST_RULES,
    VERDICTS,
    rule_title,
    seen_in,
    share_of_rule,
    title_of,
)
from target.decisioning.labels import finished
from target.decisioning.words import EVERYBODY

_HOLDS = {True: "✓", False: "✗", None: "?"}
_COLUMNS = ("rule", "activity and experience", "result", "why", "audience", "share")


def write_html(explanation: Explanation) -> str:
    """``explanation`` as a fragment of a page."""
    told = f"Decided {explanation.decided_by} with status {explanation.status}: {explanation.why}"
    parts = "".join(map(_part, explanation.parts))
    return f'<div class="target-explanation"><p>{_text(told)}</p>{parts}</div>'


def _part(part: ExplainedPart) -> str:
    told = part.why if part.why_remote is None or part.reason == "remote" else f"{part.why}; {part.why_remote}"
    head = f"<h4>{_text(title_of(part))}</h4><p>{_text(told)}</p>"
    if not part.rules:
        return head
    columns = _row("th", map(_text, _COLUMNS))
    rows = "".join(map(_rule, part.rules[:MOST_RULES]))
    more = len(part.rules) - MOST_RULES
    rest = f"<p>and {more} more rules</p>" if more > 0 else ""
    return f"{head}<table><thead>{columns}</thead><tbody>{rows}</tbody></table>{rest}"


def _rule(rule: ExplainedRule) -> str:
    result = f"<strong>{_text(VERDICTS[rule.verdict])}</strong>" if rule.has_won else _text(VERDICTS[rule.verdict])
    audience = _clauses(rule.clauses) if rule.clauses else _text(rule.audience or EVERYBODY)
    titles = (_text(str(rule.position)), _text(rule_title(rule)))
    return _row("td", (*titles, result, _text(rule.why), audience, _text(share_of_rule(rule))))


def _clauses(clauses: Iterable[ExplainedClause]) -> str:
    items = [f"<li>{_clause(clause)}</li>" for clause, _ in zip(clauses, range(MOST_CLAUSES), strict=False)]
    return f"<ul>{''.join(items)}</ul>"


def _clause(clause: ExplainedClause) -> str:
    seen = f" (seen: {seen_in(clause)})" if clause.seen else ""
    why = f": {clause.why}" if clause.why is not None and not clause.parts else ""
    inner = _clauses(clause.parts) if clause.parts else ""
    return f"{_HOLDS[clause.holds]} {_text(f'{clause.words}{seen}{why}')}{inner}"


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"


def _text(text: str) -> str:
    return escape(finished(text))
