"""Explanations for notebooks."""

from __future__ import annotations

from html.parser import HTMLParser

from target.decisioning.artifact import parse_artifact
from target.decisioning.explanation_text import MOST_RULES
from tests.kit.explained import both, var
from tests.kit.rules import VISITOR, ask, build_artifact, build_rule

EVIL = "<script>alert(1)</script><img src=x onerror='a'>\"&"


class Tags(HTMLParser):
    """Which tags a fragment has, and its text; fails for any attribute but the class of the whole."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert attrs in ([], [("class", "target-explanation")])
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_value_is_escaped() -> None:
    share = {"and": [{"<=": [0, var("allocation")]}, {">=": [50, var("allocation")]}]}
    odd = {"or": [{"==": [EVIL, var(f"mbox.{EVIL}")]}, {EVIL: [EVIL]}]}
    meta = {"activity.id": EVIL, "activity.name": EVIL, "experience.id": EVIL, "experience.name": EVIL}
    rules = [
        build_rule({"and": [share, {"==": [EVIL, var(f"mbox.{EVIL}")]}]}, meta=meta),
        build_rule(odd, meta=meta, activityId=EVIL, ruleKey=EVIL),
        build_rule(True, meta=meta),
    ]
    body = {"id": VISITOR, "execute": ask("hero", EVIL, parameters={EVIL: EVIL})}
    html = Tags(both(body, parse_artifact(build_artifact(*rules)))[1]._repr_html_())
    known = {"div", "p", "h4", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong"}
    assert set(html.tags) <= known
    assert "<script>alert(1)</script>" in html.text


def test_each_rule_is_a_row() -> None:
    rules = [build_rule({"==": ["x", var("mbox.a")]}, 1), build_rule(True, 2), build_rule({"regex": []}, 3)]
    html = Tags(both({"execute": ask("hero", "quiet")}, parse_artifact(build_artifact(*rules)))[1]._repr_html_())
    assert html.tags.count("tr") == 4
    assert html.tags.count("strong") == 1
    for words in ("mbox hero (execute): shown by audience", "activity 2, experience 0", "(seen: nothing)", "everybody"):
        assert words in html.text


def test_many_rules_are_only_begun() -> None:
    rules = [build_rule(True, number) for number in range(1, MOST_RULES + 8)]
    html = Tags(both({"execute": ask("hero")}, parse_artifact(build_artifact(*rules)))[1]._repr_html_())
    assert html.tags.count("tr") == MOST_RULES + 1
    assert "and 7 more rules" in html.text
