"""docs/api.txt: it is what the code has, and nothing public changes without its notice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts import api

ROOT = Path(__file__).parents[2]
MODELS = "generated/target_delivery_api/models"

#: A change of the code, by file, text and what is there instead; and what becomes of the public API.
CHANGES = [
    # names
    ("target/__init__.py", '    "OutboxFull",\n', "", {"-class target.OutboxFull(TargetError)"}),
    (
        "target/qa_mode.py",
        "def qa_mode_from_url(url: str)",
        "def qa_mode_from_url(uri: str)",
        {"+def target.qa_mode_from_url(uri: str) -> QAMode | None"},
    ),
    (
        "target/stores/valkey.py",
        None,
        "class Valkey:\n    def ping(self) -> int: ...\n",
        {"+class target.stores.valkey.Valkey()", "+def target.stores.valkey.Valkey.ping() -> int"},
    ),
    ("target/protocols/__init__.py", '    "StoreBroken",\n', "", {"-class target.protocols.StoreBroken(Exception)"}),
    (
        "target/integrations/celery.py",
        None,
        "def install(app: object) -> None: ...\n",
        {"+def target.integrations.celery.install(app: object) -> None"},
    ),
    # signatures and defaults
    (
        "target/client.py",
        "def close(self, timeout: float = 1000)",
        "def close(self, timeout: float = 2000)",
        {"+def target.TargetClient.close(timeout: float = 2000) -> None"},
    ),
    (
        "target/aio.py",
        "async def aclose(self",
        "def aclose(self",
        {"+def target.AsyncTargetClient.aclose(timeout: float = 1000) -> None"},
    ),
    ("target/outbox.py", "MAX_PENDING = 10_000", "MAX_PENDING = 20_000", {"+~MAX_PENDING = 20000"}),
    (
        "target/config.py",
        "option(parse_at_least(0, 1000), 1)",
        "option(parse_at_least(0, 1000), 3)",
        {"+default of ClientConfig.retries = 3"},
    ),
    (
        "target/visitor.py",
        "    @classmethod\n    def new(cls, ",
        "    def new(self, ",
        {"+def target.Visitor.new(organization_id: str, mint: Callable[[], str] | None = None) -> Self"},
    ),
    ("target/events.py", 'CLIENT_READY = "client_ready"', 'CLIENT_READY = "ready"', {"+~CLIENT_READY = 'ready'"}),
    # keys of TypedDicts
    (
        "target/options.py",
        "    client: Required[str]",
        "    client: str",
        {"+target.options.CommonOptions.client: str"},
    ),
    (
        "target/options.py",
        "    consumer_id: str | None",
        "    consumer: str | None",
        {"-target.options.CallOptions.consumer_id: str | None", "+target.options.CallOptions.consumer: str | None"},
    ),
    (
        "target/options.py",
        "class CustomerIdDict(TypedDict, total=False)",
        "class CustomerIdDict(TypedDict)",
        {"+class target.options.CustomerIdDict(TypedDict)"},
    ),
    # members of classes, bases of exceptions
    (
        "target/attributes.py",
        "def get_response(",
        "def get_result(",
        {"-def target.AttributesProvider.get_response() -> TargetDeliveryResponse"},
    ),
    (
        "target/errors.py",
        "class AttributeNotFound(TargetError, KeyError)",
        "class AttributeNotFound(TargetError)",
        {"+class target.AttributeNotFound(TargetError)"},
    ),
    (
        "target/errors.py",
        "class TargetError(Exception)",
        "class TargetError(RuntimeError)",
        {"+class target.TargetError(RuntimeError)"},
    ),
    (
        "target/clients.py",
        "    def status(self)",
        "    def state(self)",
        {"-def ~Client.status() -> ClientStatus"},
    ),
    (
        "target/outbox.py",
        "@dataclass(frozen=True, slots=True)\nclass Outbox",
        "@dataclass(slots=True)\nclass Outbox",
        {"+@dataclass(slots=True) class target.Outbox()"},
    ),
    # models, which are generated elsewhere
    (f"{MODELS}/requests.py", "self.zip", "self.postcode", {"-target.Geo.zip", "+target.Geo.postcode"}),
    (f"{MODELS}/enums.py", 'CLICK = "click"', 'CLICK = "press"', {"+target.MetricType.CLICK = 'press'"}),
    (
        f"{MODELS}/requests.py",
        '("categoryId", str)',
        '("category", str)',
        {"+target.Product.FIELDS: dict[str, tuple[str, Kind]] = {'id': ('id', str), 'category_id': ('category', str)}"},
    ),
    (
        f"{MODELS}/requests.py",
        "        channel: ChannelType | str,\n        mobile_platform",
        "        channel: str,\n        mobile_platform",
        {"+def ~Context.__init__"},
    ),
]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What becomes of the public API when all changes are made."""
    folder = tmp_path_factory.mktemp("changed")
    for name in ("target", "generated", "target_delivery_pytest"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = set(api.read_surface(folder))
    for name, text, other, _ in CHANGES:
        path = folder / name
        if text is None:
            path.parent.mkdir(exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(other, encoding="utf-8")
            continue
        assert text in path.read_text(encoding="utf-8"), text
        path.write_text(path.read_text(encoding="utf-8").replace(text, other, 1), encoding="utf-8")
    after = set(api.read_surface(folder))
    return {f"-{line}" for line in before - after} | {f"+{line}" for line in after - before}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text", "other", "lines"), CHANGES)
def test_a_change_is_noticed(changed: set[str], name: str, text: str | None, other: str, lines: set[str]) -> None:
    assert not {line for line in lines if not any(found.startswith(line) for found in changed)}, sorted(changed)


@pytest.mark.waits
def test_the_file_is_what_the_code_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert (api.main(["--check"]), capsys.readouterr().err) == (0, "")


@pytest.mark.slow
def test_what_differs_is_told_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("target", "generated", "target_delivery_pytest"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").mkdir()
    path = tmp_path / "docs" / "api.txt"
    right = (ROOT / "docs" / "api.txt").read_text(encoding="utf-8")
    path.write_text(right.replace("class target.ApiError(TargetError)\n", ""), encoding="utf-8")
    assert api.main(["--check", "--root", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "+ class target.ApiError(TargetError)\n" in told
    assert "`make api`" in told
    assert api.main(["--root", str(tmp_path)]) == 0
    assert path.read_text(encoding="utf-8") == right


def test_internals_are_no_part_of_it() -> None:
    lines = (ROOT / "docs" / "api.txt").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "target._http" in line.partition("(")[0]]
    assert not [line for line in lines if "._" in line.partition("(")[0].rpartition(".")[2]]
