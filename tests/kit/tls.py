"""Certificates for loopback servers, made when a test needs them."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

import trustme


class Authority:
    """A certificate authority of the tests' own; ``ca_certs`` is the file that a client trusts it by."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.ca_certs = str(folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca_certs)

    def server_context(self, *names: str, not_after: datetime | None = None) -> ssl.SSLContext:
        """What a server needs to show a certificate for ``names``, 127.0.0.1 if none is given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = self._ca.issue_cert(*(names or ("127.0.0.1", "localhost")), not_after=not_after)
        issued.configure_cert(context)
        return context
