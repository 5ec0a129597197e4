"""docs/options.md and docs/errors.md tell the truth: their tables name what the code has."""

from __future__ import annotations

import re
import tomllib

import pytest

from target import config, errors
from target.on_device_config import OnDeviceOptions
from target.options import CallOptions, NotifyOptions
from target.reading import BYTES_PER_VALUE, LEAST_MOST_VALUES
from tests.docs.blocks import leads_somewhere, links
from tests.kit.processes import ROOT
from tests.kit.told import tables_in, told

DOCS = ROOT / "docs"
OPTIONS = (DOCS / "options.md").read_text(encoding="utf-8")
#: What has no default but what others or the answer make of it.
COMPUTED = {"server_domain": "<client>.tt.omtrdc.net", "max_response_values": "a million, or one for every 6 bytes"}


def test_options_and_their_defaults_are_those_of_the_code() -> None:
    plain = OPTIONS.replace("64 MiB", str(64 * 1024 * 1024)).replace(" (off)", "")
    (of_create,) = tables_in(plain, "Options of a client")
    (of_a_call,) = tables_in(plain, "Options of a call")
    (of_telling,) = tables_in(plain, "Options of `notify`")
    assert f"{BYTES_PER_VALUE} bytes" in COMPUTED["max_response_values"]
    assert LEAST_MOST_VALUES == 1_000_000
    rows = {**config._CLIENT_OPTIONS, **config._ASYNC_OPTIONS}
    names = rows.keys() - OnDeviceOptions._fields  # which docs/on-device.md tells
    assert of_create == {name: COMPUTED.get(name) or told(rows[name][1]) for name in names}
    assert set(of_a_call) == set(config._REQUEST_OPTIONS)
    assert set(of_telling) == NotifyOptions.__annotations__.keys() - CallOptions.__annotations__.keys()
    assert set(config._REQUEST_DEFAULTS.values()) == {None}, "the table has no column for defaults"


def test_the_table_of_errors_names_every_error() -> None:
    tree = {name for name, value in vars(errors).items() if isinstance(value, type)}
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    assert tree <= set(re.findall(r"`(\w+)`", text))


def test_every_extra_is_told() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    section = (DOCS / "index.md").read_text(encoding="utf-8").split("\n## Extras\n")[1].partition("\n## ")[0]
    assert set(re.findall(r"\[([\w-]+)\]`", section)) == set(project["optional-dependencies"])


@pytest.mark.parametrize("page", ["options.md", "results.md", "errors.md"])
def test_links_lead_somewhere(page: str) -> None:
    assert [link for link in links(DOCS / page) if not leads_somewhere(DOCS / page, link)] == []
