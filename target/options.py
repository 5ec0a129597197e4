"""What callers write: every option of ``TargetClient.create`` and of the calls, typed and described."""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, Required, TypedDict

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import urllib3

    from target.attributes import AttributesProvider
    from target.events import EventHandler
    from target.outbox import Outbox
    from target.protocols import ArtifactSource, SharedSource
    from target.response import TargetDeliveryResponse
    from target.visitor import Visitor
    from target_delivery_api.models import CustomerId, DeliveryRequest, Notification, Order

DecisioningMethodName = Literal["server-side", "on-device", "hybrid"]
TransportName = Literal["auto", "threads", "aiohttp"]
AuthState = Literal[0, 1, 2, "0", "1", "2", "unknown", "authenticated", "logged_out"]


class LoggerLike(Protocol):
    """What can be a ``logger``. ``info`` and ``warning`` are called, too, where it has them."""

    def debug(self, message: str, /) -> object:
        """Log for who looks into how calls are made."""

    def error(self, message: str, /) -> object:
        """Log what somebody has to see to."""


class CommonOptions(TypedDict, total=False):
    """Options of both clients. Durations are milliseconds; None means the default."""

    client: Required[str]
    """Client code of the Target account; also the first label of its default host."""
    organization_id: Required[str]
    """Experience Cloud organization, e.g. ``"1234@AdobeOrg"``; sent as ``imsOrgId``."""
    timeout: float | None
    """Deadline of one whole call in ms: connecting, retries, headers and body. Default 3000."""
    server_domain: str | None
    """Host, with an optional port, used instead of ``<client>.tt.omtrdc.net``. No scheme, no path."""
    secure: bool | None
    """False sends plain HTTP; for a local emulator. Default True."""
    target_location_hint: str | None
    """Edge cluster (1 to 4 digits) for calls that name none, until an answer names one."""
    property_token: str | None
    """``at_property`` token, sent with every request that has no ``property`` of its own."""
    environment_id: int | None
    """Target environment, sent with every request that has no ``environmentId`` of its own."""
    version: str | None
    """Value of the query parameter ``version``; left out by default."""
    logger: LoggerLike | None
    """This client's log: a ``logging.Logger`` or an adapter of one, or any other object with ``debug`` and ``error``,
    such as structlog's and loguru's: these get texts that are complete. Default: the logger ``target``."""
    events: Mapping[str, EventHandler] | None
    """Handlers by event name; each is called with one dict that carries ``type``, in an empty context (contextvars)."""
    hooks: Sequence[Any] | None
    """Objects with any of the methods of ``target.Hook``, which are called around every call of the client."""
    debug_calls: bool | None
    """Whether a line for people follows each call: in the log, or where that hides it, on stderr. Default False."""
    telemetry_enabled: bool | None
    """Whether call durations may be reported to Adobe. Default True."""
    decisioning_method: DecisioningMethodName | None
    """Where decisions are made: ``"server-side"``, ``"on-device"`` from rules that are fetched now and then, or
    ``"hybrid"``: on the device where the rules can decide all of a request, else on the server. Default
    ``"server-side"``."""
    polling_interval: float | None
    """On-device: ms between downloads of the rules. Default 300000."""
    artifact_location: str | None
    """On-device: full URL of the rules."""
    artifact_headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None
    """On-device: headers sent along when the rules are asked for, such as ``Authorization`` for private rules; or a
    function that returns them, called on a thread of the client's before each download. They go to the host of the
    rules alone (redirects are not followed), and are shown nowhere. Default: none."""
    artifact_payload: Mapping[str, Any] | None
    """On-device: the first rules, as parsed JSON."""
    environment: str | None
    """On-device: name of the environment whose rules are used. Default ``"production"``."""
    cdn_environment: str | None
    """On-device: which CDN holds the rules. Default ``"production"``."""
    cdn_base_path: str | None
    """On-device: base URL of rules and geo lookup. Default ``"https://assets.adobetarget.com"``."""
    maximum_wait_ready: float | None
    """On-device: ms that ``create`` waits for the first rules. Default 5000."""
    artifact_cache: str | os.PathLike[str] | None
    """On-device: a file that keeps the last good rules, for a start while the CDN is away. Default: none."""
    artifact_source: ArtifactSource | SharedSource | None
    """On-device: where the rules come from in place of the CDN: an object of yours, such as one that reads a file; or
    what shares those of the CDN among processes, such as ``RedisArtifacts``. Default: none, which is the CDN."""
    edge_routing: bool | None
    """False keeps every call on ``server_domain``, whatever cluster the visitor belongs to. Default True."""
    retries: int | None
    """Further attempts after a failure that is safe to repeat, within ``timeout``. Default 1."""
    pool_size: int | None
    """Connections kept open per host. Default 32, and ``background_concurrency`` more where something is sent in the
    background."""
    pool: urllib3.PoolManager | None
    """Your own PoolManager or ProxyManager; it is never closed by the client."""
    proxy: str | None
    """URL of an HTTP proxy, credentials included if it needs them. Every host is reached through it."""
    trust_env: bool | None
    """Whether the environment's HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY (or in lower case, which wins) are
    followed, as they are when the client is made, where neither ``proxy`` nor ``pool`` is given. Default True."""
    max_idle: float | None
    """ms after which an idle connection is not used again. Default 50000, as what lies between may forget it after
    60 s, and does so in silence. 0: every call connects anew."""
    ca_certs: str | None
    """Path of a PEM bundle to verify servers with, instead of the system's."""
    max_response_bytes: int | None
    """Unpacked size above which an answer, an artifact or a place is refused. Default 67108864 (64 MiB)."""
    max_response_values: int | None
    """JSON values, an object counted as four, above which an answer is refused before it is parsed; each comes to about
    100 bytes of memory. Default 1000000, or one for every 6 bytes of an answer that is larger than 6 MB
    (3 bytes of an artifact)."""
    background_concurrency: int | None
    """Calls that are sent at once to one host, at most, by the outbox and in the background after decisions on the
    device: as many threads as there is work for, which end when there is none. Default 32."""
    background_queue: int | None
    """On-device, without an outbox: how many calls may wait to be sent in the background. Above it the oldest are
    given up: see ``status`` and the event ``send_notification_failed``. Default 10000, some 50 MB."""
    breaker_failures: int | None
    """Failed calls in a row (TransportError, TargetTimeout, 5xx) after which a host is left alone and calls raise
    TargetUnavailable at once. Default 0: never."""
    breaker_reset: float | None
    """ms for which such a host is left alone; then one call at a time tries it. Default 30000."""
    default_attributes: Mapping[str, Mapping[str, Any]] | None
    """``{mbox: {key: value}}``: what ``get_attributes`` answers with when the service cannot be reached or fails."""
    outbox: Outbox | None
    """Where ``queue_notifications`` keeps notifications until Target has acknowledged them. Default: none."""
    allow_overrides: bool | None
    """Whether something may be put in the place of what Target decides: by ``overrides``, ``client.override(...)`` and
    override tokens. Default False, which is right in production unless testers see overrides there."""
    overrides: Mapping[str, Any] | None
    """``{mbox: what}``: what mboxes show everybody, whatever Target would decide. Text is HTML, None the default
    content, an ``Experience`` what the rules have for it, anything else a JSON offer. It is neither asked for nor
    counted. Needs ``allow_overrides``."""
    override_key: str | Sequence[str] | None
    """A secret of at least 16 characters that signs override links, the same in every process; of several, the last
    one signs, and the others are still read. Needs the package itsdangerous. Default: none, and no link counts."""
    offline: bool | None
    """True opens no socket, ever: rules that are given or cached (``artifact_payload``, ``artifact_cache``) answer, and
    what they do not decide is default content. Nothing is sent. Default False."""
    exclude_bots: bool | None
    """True answers calls whose ``context.userAgent`` is a crawler's or a health check's with default content, and
    counts nothing of them. Needs the extra ``on-device``. Default False."""


class ClientOptions(CommonOptions, total=False):
    """Options of ``TargetClient.create``."""

    async_workers: int | None
    """Threads, at most, that serve the calls with a callback to the account's host; the clusters that visitors' cookies
    name have as many together (docs/reliability.md). Default 8."""


class AsyncClientOptions(CommonOptions, total=False):
    """Options of ``AsyncTargetClient.create``."""

    transport: TransportName | None
    """``"aiohttp"``: sockets on the event loop, with the extra ``target-delivery[aiohttp]``. ``"threads"``: urllib3 on
    threads of the client's own. Default ``"auto"``: aiohttp where it is installed and no ``pool`` is given."""
    max_concurrency: int | None
    """Calls sent at once to the account's host, and to the clusters that visitors' cookies name together
    (docs/reliability.md); further ones wait their turn, within their ``timeout``. With threads also how many of them
    there are at most, and how many connections are kept where ``pool_size`` names no number. Default 64."""


class CustomerIdDict(TypedDict, total=False):
    """The value in the mapping form of ``customer_ids``."""

    id: Required[str | int | UUID]
    authState: AuthState


class CallOptions(TypedDict, total=False):
    """Options of a synchronous call, all but its request."""

    target_cookie: str | None
    """Value of the visitor's ``mbox`` cookie."""
    target_location_hint: str | None
    """Value of the visitor's ``mboxEdgeCluster`` cookie; anything but 1 to 4 digits is ignored."""
    visitor: Visitor | None
    """Experience Cloud identity of the visitor; share one between the calls of one page."""
    visitor_cookie: str | None
    """Value of the visitor's ``AMCV_`` cookie, where you have no Visitor of your own. None or ``""``: a visitor who has
    none yet, but is one; leave the option out for a call without a visitor."""
    consumer_id: str | None
    """Which part of the page asks; calls of one page that share an Analytics hit name different ones."""
    customer_ids: Sequence[CustomerId | Mapping[str, Any]] | Mapping[str, CustomerIdDict | str | int | UUID] | None
    """Ids of the visitor in your systems: CustomerId objects, or ``{integration code: {"id", "authState"}}``, or the id
    alone. A whole number is the text of its digits. They win over the Visitor's of the same code; a visitor who opted
    out has none sent."""
    session_id: str | int | UUID | None
    """Session to use where the cookie holds none: 1 to 128 printable ASCII characters, no space ? / { }. A whole number
    is the text of its digits."""
    decisioning_method: DecisioningMethodName | None
    """Overrides the client's for this call."""
    override_token: str | None
    """What the request of a tester says of overrides: the value of the cookie or query parameter ``target_override``.
    It counts where ``override_key`` signed it, until it expires; anything else is ignored."""


class RequestOptions(CallOptions, total=False):
    """Options of ``get_offers`` and ``send_notifications``."""

    request: Required[DeliveryRequest | Mapping[str, Any]]
    """What to ask: a DeliveryRequest, or the same in wire form. It is copied, never changed."""


class RequestCallbackOptions(RequestOptions, total=False):
    """The same for a call that returns at once."""

    callback: Required[Callable[[TargetDeliveryResponse], object]]
    """Called, on a worker thread, in a copy of the caller's context (contextvars), with what the synchronous call would
    return."""
    err_callback: Callable[[Exception], object] | None
    """Called, on a worker thread, in a copy of the caller's context, with the exception the synchronous call would
    raise. Without it the error is logged, once for each kind."""


class NotifyOptions(CallOptions, total=False):
    """Options of ``notify`` and ``queue``, after the result that they tell of. What is left out is as in its call."""

    displayed: Sequence[str | Notification | Mapping[str, Any]] | str | None
    """Names of the mboxes that were shown; a Notification of your own is sent as it is."""
    clicked: Sequence[str | Notification | Mapping[str, Any]] | str | None
    """Names of the mboxes that were clicked, likewise."""
    page_load: bool | None
    """Whether the page as a whole was shown. Of a click in it: ``clicked=result.clicked(page_load=True)``."""
    views: Sequence[str] | str | None
    """Names of the views that were shown, likewise."""
    order: Order | Mapping[str, Any] | None
    """What was bought, told once: with the first click, or where there is none with the first display; of what has no
    token too."""
    timestamp: float | datetime | None
    """When, in milliseconds since 1970, or as a datetime (UTC where it names no offset). Default: now."""
    request: DeliveryRequest | Mapping[str, Any] | None
    """Fields of the request that are to be others than in the call of the result; further notifications."""


class NotifyCallbackOptions(NotifyOptions, total=False):
    """The same for a call of ``notify`` that returns at once."""

    callback: Required[Callable[[TargetDeliveryResponse], object]]
    """Called, on a worker thread, in a copy of the caller's context (contextvars), with what the synchronous call would
    return."""
    err_callback: Callable[[Exception], object] | None
    """Called, on a worker thread, in a copy of the caller's context, with the exception the synchronous call would
    raise. Without it the error is logged, once for each kind."""


class AttributesOptions(CallOptions, total=False):
    """Options of ``get_attributes``."""

    request: DeliveryRequest | Mapping[str, Any] | None
    """What else to ask, and the context to ask in."""


class AttributesCallbackOptions(AttributesOptions, total=False):
    """The same for a call that returns at once."""

    callback: Required[Callable[[AttributesProvider], object]]
    """Called, on a worker thread, in a copy of the caller's context (contextvars), with what the synchronous call would
    return."""
    err_callback: Callable[[Exception], object] | None
    """Called, on a worker thread, in a copy of the caller's context, with the exception the synchronous call would
    raise. Without it the error is logged, once for each kind."""


def _explain_in_help() -> None:
    """Put what stands under each option, which is for editors, into the help texts of these classes, too."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[__name__]))
    except OSError:  # there is no source here, only what was compiled of it
        return
    explained: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        text = "".join(explained.get(ast.unparse(base), "") for base in node.bases)
        for field, said in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr):
                lines = inspect.cleandoc(ast.literal_eval(said.value)).splitlines()
                text += "\n        ".join([f"\n    {ast.unparse(field)}", *lines])
        explained[node.name] = text
        options: Any = globals()[node.name]
        options.__doc__ = f"{ast.get_docstring(node)}\n{text}"


_explain_in_help()
