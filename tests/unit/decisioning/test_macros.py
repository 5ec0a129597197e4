from __future__ import annotations

from typing import Any

import pytest

from target.decisioning.macros import compile_content, compile_macros

META = {"activity.id": 12, "activity.name": "Sale", "experience.name": "B", "offer.id": 3.0, "audience.ids": [1]}
MBOX = {"name": "hero", "index": 2, "parameters": {"user": "Ann", "width": 1024, "ok": True, "a.b": "ab", "no": None}}


def fill(text: str, mbox: dict[str, Any] = MBOX) -> str:
    compiled = compile_macros(text, META)
    return compiled if isinstance(compiled, str) else compiled(mbox)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("${campaign.id}|${activity.id}|${campaign.name}", "12|12|Sale"),
        ("${campaign.recipe.name}|${activity.experience.name}", "B|B"),
        ("${offer.id}", "3"),
        ("<b>${mbox.name}</b>", "<b>hero</b>"),
        ("${mbox.index}${name}", "2hero"),
        ("${user}-${mbox.user}-${mbox.width}-${mbox.ok}", "Ann-Ann-1024-true"),
        ("${mbox.a.b}", "ab"),
        (
            "${mbox.none} ${mbox.no} ${audience.ids} ${mbox.parameters}",
            "${mbox.none} ${mbox.no} ${audience.ids} ${mbox.parameters}",
        ),
        ("${} ${ user } $user {user} ${a${user}}", "${} ${ user } $user {user} ${aAnn}"),
    ],
)
def test_macros(text: str, expected: str) -> None:
    assert fill(text) == expected


def test_what_a_macro_gives_is_not_searched_for_macros() -> None:
    assert fill("${mbox.user}", {"name": "hero", "parameters": {"user": "${activity.id}"}}) == "${activity.id}"


def test_text_that_only_the_rule_fills_is_filled_once() -> None:
    assert compile_macros("${activity.name}!", META) == "Sale!"
    assert callable(compile_macros("${activity.name} ${mbox.user}", META))


def test_missing_parameters_leave_the_macro() -> None:
    assert fill("${mbox.user}", {"name": "hero"}) == "${mbox.user}"


def test_content_of_html_and_actions_only() -> None:
    assert compile_content("json", "${activity.id}", META) == "${activity.id}"
    assert compile_content("html", {"a": "${activity.id}"}, META) == {"a": "${activity.id}"}
    actions = [
        {"type": "setHtml", "content": "${activity.id} ${mbox.user}"},
        {"type": "setHtml", "content": "${activity.id}"},
        {"type": "setStyle", "content": {"color": "${activity.id}"}},
        {"type": "click"},
        "odd",
    ]
    render = compile_content("actions", actions, META)
    assert render(MBOX) == [
        {"type": "setHtml", "content": "12 Ann"},
        {"type": "setHtml", "content": "12"},
        {"type": "setStyle", "content": {"color": "${activity.id}"}},
        {"type": "click"},
        "odd",
    ]
    assert compile_content("actions", actions[1:3], META) == [{"type": "setHtml", "content": "12"}, actions[2]]
