"""The wheel: what is in it, what it asks for, and that it works where nothing else is installed."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import target
from tests.kit.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
    (built,) = folder.glob("*.whl")
    return built


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_18_the_wheel_declares_what_it_needs(wheel: Path) -> None:
    """The official wheel declares nothing: ``pip install`` succeeded and the import then failed."""
    requirements = metadata(wheel).get_all("Requires-Dist") or []
    plain = [requirement for requirement in requirements if "extra ==" not in requirement]
    assert sorted(re.split(r"[<>=!~ ;\[]", requirement)[0] for requirement in plain) == ["python-dateutil", "urllib3"]
    extras = metadata(wheel).get_all("Provides-Extra") or []
    of_users = [
        "aiohttp",
        "batch",
        "cli",
        "dask",
        "django",
        "emulator",
        "flask",
        "migrate",
        "on-device",
        "openfeature",
        "otel",
        "ray",
        "redis",
        "simulate",
        "spark",
        "starlette",
        "stats",
        "testing",
    ]
    assert sorted(extras) == of_users  # and nothing of development
    assert metadata(wheel)["Requires-Python"] == ">=3.11"
    assert metadata(wheel)["Version"] == target.__version__


def test_the_wheel_says_where_it_belongs_and_what_it_is_about(wheel: Path) -> None:
    urls = metadata(wheel).get_all("Project-URL") or []
    assert {url.partition(", ")[0] for url in urls} >= {"Homepage"}
    assert all(re.fullmatch(r"[^,]+, https://\S+", url) for url in urls)
    assert {"adobe-target", "feature-flags", "personalization"} <= {*metadata(wheel)["Keywords"].split(",")}


def test_what_the_package_index_shows_leads_to_the_site(wheel: Path) -> None:
    text = str(metadata(wheel).get_payload())
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
    (site,) = [url.partition(", ")[2] for url in metadata(wheel).get_all("Project-URL") or () if "Documentation" in url]
    pages = {link.removeprefix(site).partition("#")[0] for link in links if link.startswith(site)}
    files = {page: page.replace("_images/", "pictures/").replace(".html", ".md") for page in pages}
    assert [page for page, file in files.items() if not (ROOT / "docs" / file).exists()] == []


def test_the_wheel_holds_the_packages_and_their_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "target",
        "target_delivery_api",
        "target_delivery_pytest",
    }
    assert {"target/py.typed", "target_delivery_api/py.typed", "target_delivery_pytest/py.typed"} <= set(names)
    assert {f"target/emulator/shop/{name}.json" for name in ("rules", "offers")} <= set(names)
    assert not [name for name in names if name.endswith((".pyc", ".jinja")) or "tests" in name]


def test_18_it_installs_into_an_empty_environment_and_works(wheel: Path, tmp_path: Path) -> None:
    """On Python 3.12 and later the official SDK needs ``pkg_resources``, which is not there."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=100)
    python = str(tmp_path / "venv" / "bin" / "python")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, check=True, timeout=200, env=environment, cwd=tmp_path)
    script = """if True:
        import sys
        from target import DeliveryRequest, ExecuteRequest, MboxRequest, Order, TargetClient, TransportError
        Order.from_dict({"id": "1", "time": "2021-03-22T14:53:00Z"})
        assert not {"pkg_resources", "setuptools", "httpx", "attr"} & sys.modules.keys()
        options = {"client": "acme", "organization_id": "1@AdobeOrg", "server_domain": "127.0.0.1:1", "secure": False}
        with TargetClient.create(options) as client:
            try:
                client.get_offers(request=DeliveryRequest(execute=ExecuteRequest(mboxes=[MboxRequest(name="home")])))
            except TransportError as error:
                print("refused" in str(error))
    """
    done = subprocess.run(
        [python, "-W", "error", "-c", script],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.stdout == "True\n"
