"""What a client sends is what the generated transport would send, however little is written anew for each call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from target._http.transport import SDK_HEADERS, RequestWriter
from target_delivery_api import Client
from target_delivery_api.api.delivery import execute
from tests.kit import built_calls

TEXTS = st.text("abcXYZ019-._~@=&%/ +#é\u20ac", min_size=1, max_size=20) | st.just("of-any-session")
HEADERS = st.dictionaries(st.sampled_from(("X-Added", "x-request-id", "ACCEPT", "User-Agent")), TEXTS, max_size=3)


class _Pool:
    """Keeps what it is to send."""

    def urlopen(self, method: str, url: str, *, body: Any, headers: Mapping[str, str], **_: Any) -> Any:
        return method, url, body, list(headers.items())

    def clear(self) -> None:
        """Nothing is open."""


def as_generated(config: Any, call: Any) -> Any:
    """The request of ``call``, written by the generated transport alone."""
    arguments = execute.get_kwargs(
        body=call.content, ims_org_id=config.organization_id, session_id=call.session_id, version=config.version
    )
    headers = {"X-Request-Id": call.trace_id, **call.headers}
    return Client("", pool=_Pool(), headers=SDK_HEADERS).request(base_url=call.base_url, headers=headers, **arguments)


@given(
    organization=TEXTS.filter(str.strip),
    version=st.none() | TEXTS,
    calls=st.lists(st.tuples(TEXTS, HEADERS, st.sampled_from((b"{}", b""))), min_size=1, max_size=4),
)
def test_requests_are_written_as_the_generated_transport_writes_them(
    organization: str, version: str | None, calls: list[tuple[str, dict[str, str], bytes]]
) -> None:
    config = built_calls.config()._replace(organization_id=organization, version=version)
    writer = RequestWriter(config)
    for session_id, headers, content in calls:
        call = built_calls.offers()._replace(session_id=session_id, headers=headers, written=[content])
        method, url, sent, given_headers = writer.write(call)
        assert (method, url, sent, list(given_headers.items())) == as_generated(config, call)
