"""Owns the certificate that the emulator shows: of an authority of its own, made anew for each run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

#: By these an emulator on this machine is called, whatever it listens on.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class Certificate(NamedTuple):
    """Files in PEM: the authority's certificate, for clients; the server's certificate and key in one, for nobody."""

    ca_file: str
    server_file: str


@contextmanager
def certificate(*names: str) -> Iterator[Certificate]:
    """Make a certificate for `names` (host names and IP addresses) and this machine's own; both files go at the end.

    Raises ModuleNotFoundError where the package trustme is missing, ValueError for what is no host name.
    """
    try:
        import trustme
    except ModuleNotFoundError as missing:
        from target.emulator.extra import needs_extra

        raise needs_extra(missing) from missing
    authority = trustme.CA(organization_name="target emulator")
    own = dict.fromkeys((*filter(None, names), *LOOPBACK_NAMES))
    try:
        issued = authority.issue_cert(*own)
    except ValueError as cause:
        raise ValueError(f"no certificate can be made for one of {', '.join(own)} ({cause})") from cause
    folder = Path(tempfile.mkdtemp(prefix="target-emulator-"))  # which is for this user alone
    try:
        made = Certificate(str(folder / "ca.pem"), str(folder / "server.pem"))
        authority.cert_pem.write_to_path(made.ca_file)
        issued.private_key_and_cert_chain_pem.write_to_path(made.server_file)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
