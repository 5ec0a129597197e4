# ruff: noqa: E501 - a line of a caller's file is one here
"""What becomes of a file: of imports and the names that they bring, and of what nobody can read."""

from __future__ import annotations

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from target.migrate.plan import MARK
from target.migrate.rewrite import Unreadable, notes_in, rewrite

NOWHERE = f"{MARK}there is no delivery_api_client.ApiClient in target\n"
#: What a file says, and what it says then.
IMPORTS = {
    "a class": ("from target_python_sdk import TargetClient", "from target import TargetClient"),
    "an alias stays": (
        "from target_python_sdk import TargetClient as TC\nTC.create({})\n",
        "from target import TargetClient as TC\nTC.create({})\n",
    ),
    "a package": (
        "import target_python_sdk, os\nos.exit(target_python_sdk.TargetClient)\n",
        "import target, os\nos.exit(target.TargetClient)\n",
    ),
    "a package by another name": (
        "import delivery_api_client as api\napi.ModelProperty(token='t')\n",
        "import target as api\napi.Property(token='t')\n",
    ),
    "a package where target is a name of the file": (
        "import target_python_sdk\ndef make(target):\n    return target_python_sdk.TargetClient.create(target)\n",
        "import target as target_python_sdk\ndef make(target):\n    return target_python_sdk.TargetClient.create(target)\n",
    ),
    "a module of the models": (
        "import delivery_api_client.Model.order\nx = delivery_api_client.Model.order.Order(id='7')\n",
        "import target\nx = target.Order(id='7')\n",
    ),
    "modules from a package": (
        "from delivery_api_client.Model import order\nfrom delivery_api_client import Model as m\n"
        "order.Order(id='7'), m.model_property.ModelProperty(token='t')\n",
        "import target as order\nimport target as m\norder.Order(id='7'), m.Property(token='t')\n",
    ),
    "a new name, and what has its old one for other reasons": (
        "from delivery_api_client import ModelProperty\ndef f(ModelProperty): return ModelProperty\n"
        "g = ModelProperty(token='t'), shop.ModelProperty, f(ModelProperty=1)\n",
        "from target import Property\ndef f(ModelProperty): return ModelProperty\n"
        "g = Property(token='t'), shop.ModelProperty, f(ModelProperty=1)\n",
    ),
    "a new name that is taken": (
        "from delivery_api_client import ModelProperty\nclass Property: ...\nModelProperty(token='t')\n",
        "from target import Property as ModelProperty\nclass Property: ...\nModelProperty(token='t')\n",
    ),
    "a name that others import": (
        "from delivery_api_client import ModelProperty\n__all__ = ['ModelProperty']\n",
        "from target import Property as ModelProperty\n__all__ = ['ModelProperty']\n",
    ),
    "a name that may be another's": (
        "try:\n    from delivery_api_client import ModelProperty\nexcept ImportError:\n    from ours import ModelProperty\n"
        "ModelProperty()\n",
        "try:\n    from target import Property as ModelProperty\nexcept ImportError:\n    from ours import ModelProperty\n"
        "ModelProperty()\n",
    ),
    "names in parentheses, with comments": (
        "from delivery_api_client import (  # models\n    Order,  # money\n    ModelProperty as P,\n)\n",
        "from target import (  # models\n    Order,  # money\n    Property as P,\n)\n",
    ),
    "in a function, in a try": (
        "def f():\n    try:\n        from target_python_sdk import TargetClient\n    except ImportError:\n        pass\n",
        "def f():\n    try:\n        from target import TargetClient\n    except ImportError:\n        pass\n",
    ),
    "everything": ("from delivery_api_client import *\n", "from target import *\n"),
    "an enum of the tools": (
        "from target_tools.enums import DecisioningMethod\nDecisioningMethod.HYBRID.value\n",
        "from target import DecisioningMethod\nDecisioningMethod.HYBRID.value\n",
    ),
    "the time": (
        "from target_tools.utils import get_epoch_time_milliseconds as now\nx = now()\n",
        "import time\nx = int(time.time() * 1000)\n",
    ),
    "the time, where time is something else": (
        "from time import time\nfrom target_tools.utils import get_epoch_time_milliseconds\nget_epoch_time_milliseconds()\n",
        "from time import time\n"
        f"{MARK}there is no target_tools.utils.get_epoch_time_milliseconds in target\n"
        "from target_tools.utils import get_epoch_time_milliseconds\nget_epoch_time_milliseconds()\n",
    ),
    "what is not here": (
        "# of the shop\nfrom delivery_api_client import ApiClient, Order  # both\n",
        f"# of the shop\n{NOWHERE}from delivery_api_client import ApiClient\nfrom target import Order  # both\n",
    ),
    "what is not here, on a line with more": (
        "from delivery_api_client import ApiClient, Order; x = 1\n",
        f"{NOWHERE}{MARK}in place of this: from delivery_api_client import ApiClient; from target import Order\n"
        "from delivery_api_client import ApiClient, Order; x = 1\n",
    ),
    "a use that is not here": (
        "import delivery_api_client\ndelivery_api_client.ApiClient()\n",
        f"{MARK}not all that is used of delivery_api_client is in target: import what is, from there\n"
        "import delivery_api_client\ndelivery_api_client.ApiClient()\n",
    ),
    "all of what is not here": (
        "from target_tools.utils import *\n",
        f"{MARK}there is no target_tools.utils in target\nfrom target_tools.utils import *\n",
    ),
    "texts": (
        "patch('target_python_sdk.TargetClient'), patch(\"delivery_api_client.Model.order.Order\")\n"
        "logging.getLogger('adobe.target')\nx = 'target_tools.utils.noop'\ny = 'target_tools is a package'\n",
        "patch('target.TargetClient'), patch(\"target.Order\")\n"
        "logging.getLogger('target')\n"
        f"{MARK}a text names target_tools.utils.noop\nx = 'target_tools.utils.noop'\ny = 'target_tools is a package'\n",
    ),
}
UNTOUCHED = [
    "",
    "from .delivery_api_client import ModelProperty\n",
    "import target\ntarget.TargetClient.create({'client': 1})\n",
    "client.get_offers({'targetCookie': 1})\n",  # of whatever client
    "# target_python_sdk\nx = {'maxAge': 1}\n",
]


@pytest.mark.parametrize("name", IMPORTS)
def test_imports(name: str) -> None:
    before, after = IMPORTS[name]
    assert rewrite(before.encode()).decode() == after
    assert rewrite(after.encode()).decode() == after, "once is enough"


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_is_nothing_of_adobes_stays(text: str) -> None:
    assert rewrite(text.encode()) == text.encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"import target_python_sdk\r\nx = 1\r\n", b"import target\r\nx = 1\r\n"),
        (b"\xef\xbb\xbfimport target_python_sdk\n", b"\xef\xbb\xbfimport target\n"),
        (
            "# -*- coding: latin-1 -*-\nimport target_python_sdk\nx = 'é'\n".encode("latin-1"),
            "# -*- coding: latin-1 -*-\nimport target\nx = 'é'\n".encode("latin-1"),
        ),
        (b"if 1:\n\timport target_python_sdk\n\tx = 1", b"if 1:\n\timport target\n\tx = 1"),
    ],
    ids=["line ends", "byte order mark", "encoding", "tabs, no last line end"],
)
def test_bytes_that_are_none_of_its_business_stay(before: bytes, after: bytes) -> None:
    assert rewrite(before) == after


@pytest.mark.parametrize(
    "content",
    [
        b"import target_python_sdk\nprint 'of Python 2'\n",
        b"import target_python_sdk\nx = '\xff'\n",
        b"# coding: no-such\nimport target_python_sdk\n",
        b"import target_python_sdk\0\n",
        b"{{ cookiecutter.name }} = 1 +\n",
        b"import target_python_sdk\n\x0cx = 1\n",
        b"import target_python_sdk\nx = " + b"(" * 500 + b")" * 500,
    ],
    ids=["Python 2", "no UTF-8", "unknown encoding", "null", "template", "form feed", "deep"],
)
def test_what_cannot_be_read_is_said(content: bytes) -> None:
    with pytest.raises(Unreadable, match=r".+"):
        rewrite(content)


def test_comments_are_counted() -> None:
    assert notes_in(rewrite(b"from delivery_api_client import ApiClient, Configuration\n")) == 2
    assert notes_in(b"import target\n") == 0


WORDS = st.sampled_from([*"abc", "target", "ModelProperty", "TargetClient", "Property", "options"])
LINES = st.one_of(
    st.builds(
        "from delivery_api_client import {} as {}".format, st.sampled_from(["ModelProperty", "ApiClient"]), WORDS
    ),
    st.builds("import target_python_sdk as {}".format, WORDS),
    st.sampled_from(["import target_python_sdk", "import delivery_api_client", "from target_tools.utils import noop"]),
    st.builds("{} = {{'clientCode': {}, 'targetCookie': 1}}".format, WORDS, WORDS),
    st.builds("{0}.get_offers({1}); {1}['sessionId'] = {0}".format, WORDS, WORDS),
    st.builds("def {}({}, *, {}=1): return {}.to_dict()".format, WORDS, st.just("x"), st.just("y"), WORDS),
    st.builds("for {} in {}: {}.create(options={})".format, WORDS, WORDS, WORDS, WORDS),
)


@example(
    [
        "import target_python_sdk as ModelProperty",  # whose name the next line takes over
        "from delivery_api_client import ModelProperty as ModelProperty",
        "a = {'clientCode': ModelProperty, 'targetCookie': 1}",
    ]
)
@given(st.lists(LINES, max_size=8))
def test_any_file_stays_python_and_is_done_in_one_run(lines: list[str]) -> None:
    once = rewrite("\n".join(lines).encode())
    ast.parse(once)
    assert rewrite(once) == once
