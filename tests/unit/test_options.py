"""What callers write is what code reads: the TypedDicts and their help texts against the tables of options."""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
import subprocess
import sys
import types
import typing
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import urllib3

import target
from target import config, customer_ids, events, on_device_config, options, protocols, reading, values
from target.loggers import Log
from target.option_rows import REQUIRED, Row
from tests.kit.kinds import kinds_of, kinds_taken
from tests.kit.told import told

CREATE = config._CLIENT_OPTIONS
CREATE_ASYNC = {name: row for name, row in CREATE.items() if name != "async_workers"} | config._ASYNC_OPTIONS
CALL: dict[str, Row] = {
    name: (parse, config._REQUEST_DEFAULTS[name]) for name, parse in config._REQUEST_OPTIONS.items()
}
CALL_BACK = {"callback", "err_callback"}
AWAITED = {name: row for name, row in CALL.items() if name not in CALL_BACK}
#: Each TypedDict, the table it says to callers, and what of it has to be given.
SAID: dict[str, tuple[dict[str, Row], set[str]]] = {
    "ClientOptions": (CREATE, {name for name, (_, default) in CREATE.items() if default is REQUIRED}),
    "AsyncClientOptions": (CREATE_ASYNC, {name for name, (_, default) in CREATE_ASYNC.items() if default is REQUIRED}),
    "RequestOptions": (AWAITED, {"request"}),
    "RequestCallbackOptions": (CALL, {"request", "callback"}),
    "AttributesOptions": (AWAITED, set()),
    "AttributesCallbackOptions": (CALL, {"callback"}),
}
#: What has no default but what other options or the answer make of it; and what makes it.
COMPUTED = {
    "cdn_base_path": f'``"{on_device_config.DEFAULT_CDN}"``',
    "max_response_values": f"{reading.LEAST_MOST_VALUES}, or one for every {reading.BYTES_PER_VALUE} bytes",
}
#: Read where they are used, since they may be an object of the generated models or a Visitor.
READ_LATER = {"request", "visitor"}


def hints_of(name: str) -> dict[str, Any]:
    names = {
        **vars(events),
        **vars(protocols),
        **{each: getattr(target, each) for each in target.__all__},
        "urllib3": urllib3,
        "UUID": uuid.UUID,
    }
    return typing.get_type_hints(getattr(options, name), vars(options), names, include_extras=True)


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_is_what_is_read(name: str) -> None:
    table, needed = SAID[name]
    hints = hints_of(name)
    assert set(hints) == set(table)
    assert {key for key, hint in hints.items() if typing.get_origin(hint) is typing.Required} == needed


@pytest.mark.parametrize("name", SAID)
def test_types_are_those_that_are_read(name: str) -> None:
    table, needed = SAID[name]
    for key, hint in hints_of(name).items():
        assert key in needed or types.NoneType in typing.get_args(hint), f"None is the default of {key}"
        if key in READ_LATER:
            continue
        assert kinds_of(hint) == kinds_taken(table[key][0], key), key


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("DecisioningMethodName", values.DECISIONING_METHODS),
        ("TransportName", values.TRANSPORTS),
        ("AuthState", customer_ids._STATES),
    ],
)
def test_names_to_choose_from_are_those_that_are_read(name: str, taken: Iterable[object]) -> None:
    assert set(typing.get_args(getattr(options, name))) == set(taken)


def test_a_customer_id_is_read_as_it_is_said() -> None:
    def parse(name: str, value: object) -> object:
        return customer_ids.parse_customer_ids({"crm": value if name == "alone" else {"id": "1", name: value}})

    hints = hints_of("CustomerIdDict")
    assert hints == {"id": typing.Required[str | int | uuid.UUID], "authState": options.AuthState}
    assert hints.keys() <= customer_ids._KEYS.keys()
    assert kinds_of(hints["id"]) == kinds_taken(parse, "id")
    _, by_code, _ = typing.get_args(hints_of("CallOptions")["customer_ids"])
    of_one = set(typing.get_args(typing.get_args(by_code)[1]))
    assert {each.__name__ for each in of_one - {options.CustomerIdDict}} == kinds_taken(parse, "alone")


def texts_of(name: str) -> dict[str, str]:
    """What stands under each option in the source, its bases' options included."""
    node = next(n for n in ast.parse(inspect.getsource(options)).body if isinstance(n, ast.ClassDef) and n.name == name)
    texts: dict[str, str] = {}
    for base in map(ast.unparse, node.bases):
        texts |= {} if base == "TypedDict" else texts_of(base)
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign):
            assert isinstance(after, ast.Expr), f"{name}: {ast.unparse(field)} has no docstring"
            texts[ast.unparse(field.target)] = " ".join(ast.literal_eval(after.value).split())
    return texts


@pytest.mark.parametrize("name", SAID)
def test_help_texts_say_every_option_and_its_default(name: str) -> None:
    shown = " ".join(pydoc.plain(pydoc.render_doc(getattr(options, name))).replace("|", " ").split())
    texts = texts_of(name)
    assert set(texts) == set(SAID[name][0])
    for key, text in texts.items():
        assert text in shown
        default = SAID[name][0][key][1]
        said = re.findall(r"Default:? (the logger ``\w+``|``\"[^`]*\"``|\d+, or one for every \d+ bytes|\w+)", text)
        if key in COMPUTED:
            assert said == [COMPUTED[key]]
        elif isinstance(default, Log):
            assert said == [f"the logger ``{default.name}``"]
        elif isinstance(default, str):
            assert said == [f"``{told(default)}``"], key
        else:
            assert said == [told(default)] or (said == [] and told(default) in ("none", "required")), key


def test_the_module_can_be_read_where_its_source_is_away(tmp_path: Path) -> None:
    source = inspect.getsource(options)
    import py_compile

    (tmp_path / "options.py").write_text(source)
    py_compile.compile(str(tmp_path / "options.py"), str(tmp_path / "bare.pyc"))
    (tmp_path / "options.py").unlink()
    code = "import bare; assert 'timeout' in bare.CommonOptions.__annotations__; print(bare.ClientOptions.__doc__)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stdout == "Options of ``TargetClient.create``.\n", run.stderr
