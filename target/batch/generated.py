"""Makes visitors up: whose ids are random, and who are what the conditions of an artifact ask for.

A visitor takes after a rule, so that each audience is met by some, or after none. They say nothing about the visitors
that an account really has.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from target.batch.visitors import id_maker
from target.decisioning.artifact import Artifact
from target.decisioning.catalogue import list_rules
from target.decisioning.coercion import to_number, to_text
from target.decisioning.ranges import EVERYWHERE, NOWHERE, operation_of, reach_of

_MAX_PERSONAS = 500
_VARIANTS = 4
_MAX_DEPTH = 64
_SYSTEMS = {
    "windows": "Windows NT 10.0; Win64; x64",
    "mac": "Macintosh; Intel Mac OS X 10_15_7",
    "linux": "X11; Linux x86_64",
    "android": "Linux; Android 14; Pixel 8",
    "ios": "iPhone; CPU iPhone OS 17_5 like Mac OS X",
    "ipad": "iPad; CPU OS 17_5 like Mac OS X",
}
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_BROWSERS = {
    "chrome": f"{_WEBKIT} Chrome/126.0.0.0 Safari/537.36",
    "edge": f"{_WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
    "firefox": "Gecko/20100101 Firefox/127.0",
    "opera": f"{_WEBKIT} Chrome/126.0.0.0 Safari/537.36 OPR/111.0.0.0",
    "safari": "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "ie": "Trident/7.0; rv:11.0) like Gecko",
}
_GEO = {
    "country": "countryCode",
    "region": "stateCode",
    "city": "city",
    "latitude": "latitude",
    "longitude": "longitude",
}
_COMPARISONS = frozenset({"==", "in", "<", "<=", ">", ">="})

Wishes = dict[str, str]


class Population:
    """Visitors made up for some artifacts: the n-th is always the same for the same seed.

    Args:
        artifacts: Whose conditions visitors take after.
        seed: Another seed gives other visitors.
        with_properties: Whether they are of the properties that rules are kept to.
    """

    def __init__(self, *artifacts: Artifact, seed: int = 0, with_properties: bool = True) -> None:
        self._seed = seed
        self._id_of = id_maker(seed)
        chance = random.Random(f"personas {seed}")
        kinds: dict[str, tuple[Any, list[str]]] = {}
        for artifact in artifacts:
            for placed in list_rules(artifact):
                tokens = sorted(placed.rule.property_tokens or ()) if with_properties else []
                if len(kinds) < _MAX_PERSONAS:
                    key = json.dumps([placed.rule.condition, tokens], sort_keys=True)
                    kinds.setdefault(key, (placed.rule.condition, tokens))
        personas = {browser: _build_persona({"user.browserType": browser}) for browser in _BROWSERS}
        for condition, tokens in kinds.values():
            for _ in range(_VARIANTS):
                wishes = _wishes_of(condition, chance)
                if not any(name.startswith("user.") for name in wishes):
                    wishes["user.browserType"] = chance.choice(list(_BROWSERS))
                persona = _build_persona({**wishes, **_numbers_of(condition, wishes, chance)})
                if tokens:
                    persona["property"] = {"token": chance.choice(tokens)}
                personas.setdefault(json.dumps(persona, sort_keys=True), persona)
        self._personas = list(personas.values())

    def visitors(self, first: int, count: int) -> Iterator[dict[str, Any]]:
        """``count`` visitors from the number ``first`` on, as ``visitors.read_row`` gives them."""
        for number in range(first, first + count):
            visitor_id = self._id_of(number)
            persona = self._personas[int(visitor_id[-8:], 16) % len(self._personas)]
            yield {"id": {"tntId": visitor_id}, **persona}


def _wishes_of(logic: Any, chance: random.Random, depth: int = 0) -> Wishes:
    """Values of variables with which a condition may hold."""
    operator, arguments = operation_of(logic)
    if depth > _MAX_DEPTH or not arguments:
        return {}
    if operator == "or":
        return _wishes_of(chance.choice(arguments), chance, depth + 1)
    if operator == "and":
        wishes: Wishes = {}
        for item in arguments:
            wishes |= _wishes_of(item, chance, depth + 1)
        return wishes
    if operator in _COMPARISONS:
        name = next((found for item in arguments if (found := _variable(item))), None)
        literals = [item for item in arguments if not isinstance(item, Mapping)]
        literals = [item for each in literals for item in (each if isinstance(each, list) else [each])]
        if name and literals:
            return {name: to_text(chance.choice(literals))}
    return {}


def _numbers_of(condition: Any, wishes: Wishes, chance: random.Random) -> Wishes:
    """Values for the variables that a condition takes for numbers, between all of its bounds."""
    numbers: Wishes = {}
    for name in wishes:
        ranges = reach_of(condition, name).perhaps
        if ranges in (EVERYWHERE, NOWHERE):
            continue
        least, most = chance.choice(ranges)
        if math.isinf(least) or math.isinf(most):
            number = most - 1 if math.isinf(least) else least + 1
        else:
            number = (least + most) / 2
        if math.isfinite(number) and any(map(math.isfinite, (least, most))):
            numbers[name] = to_text(number)
    return numbers


def _variable(operand: Any) -> str | None:
    """The variable that an operand reads, or cuts a piece of."""
    operator, arguments = operation_of(operand)
    if operator == "substr" and arguments:
        return _variable(arguments[0])
    name = arguments[0] if operator == "var" and arguments else None
    return name if isinstance(name, str) else None


def _fitting(operator: str, arguments: list[Any], literal: Any) -> str:
    """A value with which a comparison with ``literal`` holds."""
    if operator in ("<", ">") and len(arguments) == 2 and (number := to_number(literal)) == number:
        above = (operator == "<") != isinstance(arguments[0], Mapping)
        return to_text(number + (1 if above else -1))
    return to_text(literal)


def _build_persona(wishes: Wishes) -> dict[str, Any]:
    """What a visitor is beside its id, so that variables have the values wished for."""
    context: dict[str, Any] = {"userAgent": _build_user_agent(wishes)}
    geo: dict[str, Any] = {_GEO[field]: value for field in _GEO if (value := wishes.get(f"geo.{field}"))}
    geo |= {
        field: number
        for field in ("latitude", "longitude")
        if (number := to_number(geo.get(field, ""))) and number == number
    }
    if geo:
        context["geo"] = geo
    address = {"url": _build_url(wishes, "page", "https://www.example.com/")}
    if any(name.startswith("referring.") for name in wishes):
        address["referringUrl"] = _build_url(wishes, "referring", "https://www.example.org/")
    context["address"] = address
    parameters = {
        name.removeprefix("mbox.").removesuffix("_lc"): value
        for name, value in wishes.items()
        if name.startswith("mbox.") and name != "mbox."
    }
    return {"context": context, "parameters": parameters}


def _build_user_agent(wishes: Wishes) -> str:
    browser, system = wishes.get("user.browserType", "").lower(), wishes.get("user.platform", "").lower()
    if browser in ("iphone", "ipad"):
        browser, system = "safari", {"iphone": "ios"}.get(browser, browser)
    system = system if system in _SYSTEMS else {"safari": "mac"}.get(browser, "windows")
    browser = browser if browser in _BROWSERS else "safari" if system == "ios" else "chrome"
    if browser == "ie":
        return f"Mozilla/5.0 ({_SYSTEMS['windows']}; {_BROWSERS['ie']}"
    return f"Mozilla/5.0 ({_SYSTEMS[system]}) {_BROWSERS[browser]}"


def _build_url(wishes: Wishes, root: str, default: str) -> str:
    """An address of which the parts wished for are parts."""

    def part(name: str) -> str | None:
        return wishes.get(f"{root}.{name}", wishes.get(f"{root}.{name}_lc"))

    if url := part("url"):
        return url if "://" in url else f"https://{url}" if "." in url.partition("/")[0] else default + url.lstrip("/")
    host, path = part("domain") or part("subdomain") or default.split("/")[2], part("path") or "/"
    if top := part("topLevelDomain"):
        host = f"www.example.{top}"
    start = f"{root}.{{parameter="
    asked = [
        f"{name[len(start) :].partition('}')[0]}={value}" for name, value in wishes.items() if name.startswith(start)
    ]
    query = "&".join([*asked, *([given] if (given := part("query")) else [])])
    fragment = part("fragment")
    return f"https://{host}/{path.lstrip('/')}" + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
