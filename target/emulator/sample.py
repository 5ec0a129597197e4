"""Owns the sample shop: rules and offers made for each other, which the emulator serves where it is given no files."""

from __future__ import annotations

from importlib.resources import files

from target.emulator.offers import Offers, parse_offers
from target.emulator.rules import Rules, parse_rules
from target.reading import parse_json


def load_sample() -> tuple[Offers, Rules]:
    """Offers and rules of the sample shop, whose client code is ``acmeclient``."""
    folder = files("target.emulator") / "shop"
    offers, rules = parse_json((folder / "offers.json").read_bytes()), (folder / "rules.json").read_bytes()
    return parse_offers(offers, "the sample shop"), parse_rules(rules, "the sample shop")
