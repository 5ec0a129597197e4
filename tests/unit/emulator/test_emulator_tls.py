"""HTTPS with a certificate of the emulator's own making, trusted by the file that it names."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest
import urllib3

from target import TargetClient
from target.emulator import running
from target.emulator.tls import certificate

ASK = {"execute": {"mboxes": [{"name": "home"}]}}


def test_a_client_trusts_it_by_its_ca_file_and_nobody_else_does() -> None:
    with running(tls=True) as emulator:
        assert emulator.url == f"https://{emulator.server_domain}"
        assert emulator.ca_file is not None
        with TargetClient.create(
            client="acmeclient",
            organization_id="1@AdobeOrg",
            server_domain=emulator.server_domain,
            edge_routing=False,
            ca_certs=emulator.ca_file,
        ) as client:
            assert client.get_offers(request=ASK).content("home")
        with urllib.request.urlopen(emulator.url, context=ssl.create_default_context(cafile=emulator.ca_file)) as said:
            assert said.status == 200
        with urllib3.PoolManager(retries=False) as stranger, pytest.raises(urllib3.exceptions.SSLError):
            stranger.request("GET", emulator.url)
    assert not Path(emulator.ca_file).exists()


def test_the_certificate_is_for_the_names_it_listens_on_and_this_machine() -> None:
    with certificate("shop.example", "192.0.2.7") as made:
        assert Path(made.ca_file).stat().st_size > 0
        if os.name == "posix":
            assert Path(made.server_file).parent.stat().st_mode & 0o077 == 0
        text = ssl._ssl._test_decode_cert(made.server_file)  # type: ignore[attr-defined]
        names = {value for _, value in text["subjectAltName"]}
        assert {"shop.example", "192.0.2.7", "localhost", "127.0.0.1"} <= names


def test_a_name_that_is_none_is_explained() -> None:
    with pytest.raises(ValueError, match=r"no certificate can be made for one of a b, localhost"), certificate("a b"):
        raise AssertionError


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_node_trusts_it_by_its_environment() -> None:
    script = "fetch(process.argv[1]).then(r => console.log(r.status), e => console.log(String(e.cause)))"
    with running(tls=True) as emulator:
        said = [
            subprocess.run(
                ["node", "-e", script, emulator.url],
                env=os.environ | more,
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            ).stdout.strip()
            for more in ({"NODE_EXTRA_CA_CERTS": str(emulator.ca_file)}, {})
        ]
    assert said[0] == "200"
    assert said[1] != "200"
