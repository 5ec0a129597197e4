"""What every client does around sending: options become a Call, an answer a result, and a cluster is learnt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from target._background.breaker import Breaker
from target._background.clock import monotonic_s
from target._background.moments import Moments
from target._http import failures
from target._http.deadline import Deadline
from target._http.routes import Routes
from target.attributes import AttributesProvider
from target.causes import hush
from target.config import ClientConfig, RequestConfig, Runtime, parse_request_options
from target.delivery import reply
from target.delivery import request as requests
from target.delivery.identity import cluster_of_edge_host
from target.delivery.mboxes import MAX_NAME_LENGTH, is_name
from target.delivery.telemetry import TelemetryBuffer, measure_answer
from target.errors import ApiError, OptionsError, TargetError, TargetTimeout, TargetUnavailable, TransportError
from target.foreign import exact_dict, exact_text, is_a, is_text, items_of, kind_of
from target.response import TargetDeliveryResponse
from target.ways import Decide, Way

if TYPE_CHECKING:
    from target._overrides.desk import Overrides

#: Names that one call of ``get_attributes`` may hold; the API takes 50 mboxes.
MAX_NAMES = 10_000
#: What an answer says that telemetry tells of it, by key and attribute.
_TOLD = (("edgeHost", "edge_host"), ("telemetryServerToken", "telemetry_server_token"))


class Beside(NamedTuple):
    """What of a client takes part in the sending of each call; ``telemetry`` is None where none is told."""

    routes: Routes
    breaker: Breaker
    moments: Moments
    telemetry: TelemetryBuffer | None
    now_s: Callable[[], float]


class Sending:
    """Around sending one call: it goes to the account's host where the breaker leaves its cluster alone. What waits to
    be told of earlier calls rides on it, and how long it took waits then.

    What rode on a call that got no answer waits again. What was answered with an error may be the cause of it. On a
    call that asks for a trace nothing rides, since a trace tells what was sent.

    Attributes:
        call: What to send, from when this is entered.
        reply: To be set when it was answered.
        result: The same.
    """

    __slots__ = ("_beside", "_entries", "_own_try", "_started_s", "call", "reply", "result")

    def __init__(self, beside: Beside, call: requests.Call) -> None:
        self._beside = beside
        self.call = call
        self.reply: reply.Reply | None = None
        self.result: TargetDeliveryResponse | None = None

    def __enter__(self) -> Self:
        """Raises TargetUnavailable where the breaker leaves that host alone, too."""
        routes, breaker, _, telemetry, _ = self._beside
        call = self.call
        if breaker.rests_s(call.base_url):
            self.call = call = routes.to_account(call)
        self._own_try = breaker.enter(call.base_url)
        self._entries = [] if telemetry is None or "trace" in call.body else telemetry.take_all()
        if self._entries:
            self.call = requests.add_to_call(call, self._entries)
        self._started_s = monotonic_s()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _, breaker, moments, telemetry, _ = self._beside
        try:
            if error is None:
                self._succeeded(moments, telemetry)
            else:
                moments.failed(error)
                if telemetry is not None and not isinstance(error, ApiError):
                    telemetry.put_back(self._entries)
        finally:
            moved = error is None and self.reply is not None and self.reply.moved
            breaker.leave(self.call.base_url, self._own_try, error, moved)

    def _succeeded(self, moments: Moments, telemetry: TelemetryBuffer | None) -> None:
        moments.success_s = ended_s = monotonic_s()
        body, result = self.call.body, self.result
        if telemetry is not None and result is not None and ("execute" in body or "prefetch" in body):
            took_s, now_s = ended_s - self._started_s, self._beside.now_s()
            edge_host, token = (result._answer.value(*each) for each in _TOLD)
            telemetry.add(measure_answer(body, edge_host, token, now_s, took_s))


class Calls:
    """Builds the calls of one client and reads their answers. Safe to share between threads."""

    def __init__(self, config: ClientConfig, runtime: Runtime) -> None:
        self._config = config
        self._runtime = runtime
        self.routes = Routes(config)
        self.notices = config.notices
        self._build = requests.draft_offers_call if _is_for_rules_alone(config) else requests.build_offers_call

    def asked(
        self, parsed: RequestConfig, added_mboxes: Sequence[str] = (), method: str = "get_offers"
    ) -> requests.Asked:
        """What ``get_offers`` and ``get_attributes`` ask. Raises OptionsError."""
        cluster = self.routes.cluster
        return self._build(self._config, parsed, self._runtime, cluster, added_mboxes, method)

    def offers(self, parsed: RequestConfig, added_mboxes: Sequence[str] = ()) -> requests.Call:
        """All of the call of ``get_offers`` and ``get_attributes``. Raises OptionsError."""
        cluster = self.routes.cluster
        return requests.build_offers_call(self._config, parsed, self._runtime, cluster, added_mboxes)

    def notifications(self, parsed: RequestConfig) -> requests.Call:
        """The call of ``send_notifications``. Raises OptionsError."""
        return requests.build_notifications_call(self._config, parsed, self._runtime, self.routes.cluster)

    def telling(
        self, result: TargetDeliveryResponse, options: Mapping[str, Any]
    ) -> tuple[RequestConfig, requests.Call, Decide | None]:
        """The call of ``notify``, and what gives its result where there is nothing to tell. Raises OptionsError."""
        from target.delivery.notify import build_notify_options  # which a service that only asks never needs

        given = build_notify_options(result, options, self._runtime)
        parsed = parse_request_options(given)
        if given["request"].keys() & {"notifications", "telemetry"}:
            return parsed, self.notifications(parsed), None
        call = self.offers(parsed)
        return parsed, call, lambda call, _: reply.assemble(call, None, self._runtime.now_s())

    def result(self, call: requests.Call, answer: reply.Reply, deadline: Deadline) -> TargetDeliveryResponse:
        """What the caller gets for ``answer``.

        Raises:
            ApiError, TransportError: Nothing.
            TargetTimeout, ClientClosed: Reading a large answer took until the deadline, or was ended.
        """
        said = reply.read_reply(answer, call, partial(self._require_time, call, deadline))
        if not call.names_cluster:
            # Learnt from a call that named none: it says where this client belongs, and nothing about a visitor.
            self.routes.learn(cluster_of_edge_host(said.value("edgeHost", "edge_host")))
        if answer.moved:
            call = self.routes.to_account(call)  # which says, in the cookies of its answer, where the visitor goes next
        return reply.assemble_answer(call, said, self._runtime.now_s())

    def _require_time(self, call: requests.Call, deadline: Deadline) -> None:
        if deadline.abort is not None and deadline.abort.called:
            raise failures.closed_meanwhile()
        if deadline.remaining_s() <= 0:
            raise failures.timed_out(self._config, call)

    def unanswered(
        self, options: Mapping[str, Any], added_mboxes: Sequence[str] = (), overrides: Overrides | None = None
    ) -> TargetDeliveryResponse:
        """What somebody gets who goes on without an answer to a call of these options. Raises OptionsError."""
        call = self.offers(parse_request_options(options), added_mboxes)
        overridden = None if overrides is None else overrides.of(call)
        result = reply.assemble(call, None, self._runtime.now_s())
        return result if overridden is None else overridden.finish(result)

    def default_attributes(self, way: Way, error: TargetError) -> AttributesProvider:
        """What ``get_attributes`` answers with after ``error``. Raises ``error`` where there is nothing to answer."""
        defaults = self._config.default_attributes
        if not defaults or not is_outage(error):
            raise error
        asked = asked_names(way.call.body)
        found = {name: defaults[name] for name in asked if name in defaults}
        hush(error)
        result = reply.assemble(way.call, None, self._runtime.now_s())
        result = result if way.finish is None else way.finish(result)
        return AttributesProvider(result, found, error, self.notices)

    def attributes(self, result: TargetDeliveryResponse) -> AttributesProvider:
        """What ``get_attributes`` answers with: where nobody was asked about an mbox, its ``default_attributes``."""
        config = self._config
        defaults = None
        if config.default_attributes and (config.offline or config.exclude_bots):
            reasons = ("bot", "offline", "remote") if config.offline else ("bot",)
            unasked = {part.name for part in result.meta.decisions if part.kind == "mbox" and part.reason in reasons}
            defaults = {name: of for name, of in config.default_attributes.items() if name in unasked} or None
        return AttributesProvider(result, defaults, notices=self.notices)


def _is_for_rules_alone(config: ClientConfig) -> bool:
    """Whether most of what is asked is seen by nobody but rules."""
    seen = config.hooks or config.allow_overrides or config.offline or config.exclude_bots
    return config.on_device is not None and not seen


def refuse_callbacks(parsed: RequestConfig) -> None:
    """Raise OptionsError for a callback where nothing would ever call it."""
    if parsed.callback is not None:
        raise OptionsError("queue_notifications takes no callback: use the events notification_acknowledged and _dead")


def refuse_to_call_back(options: Mapping[str, Any]) -> None:
    """Raise OptionsError for callbacks where calls are awaited."""
    for name in ("callback", "err_callback"):
        if options.get(name) is not None:
            raise OptionsError(
                f"Option {name!r} belongs to TargetClient: await the call, or make it a task; to end it early, "
                "cancel it or use asyncio.timeout"
            )


def is_outage(error: TargetError) -> bool:
    """Whether ``error`` says that the service is away or failing, rather than that the request is wrong."""
    if isinstance(error, ApiError):
        return error.status >= 500
    return isinstance(error, TransportError | TargetTimeout | TargetUnavailable)


def asked_names(body: Mapping[str, Any]) -> list[str]:
    """Names of the mboxes that a request in wire form asks for."""
    parts = [body.get("prefetch") or {}, body.get("execute") or {}]
    return [mbox["name"] for part in parts for mbox in part.get("mboxes") or ()]


def merge(options: object, keywords: Mapping[str, Any]) -> Mapping[str, Any]:
    """Options as one mapping; keywords win. Raises OptionsError."""
    if options is None:
        return keywords
    if type(options) is dict:  # which needs no care
        return {**options, **keywords}
    if not is_a(options, Mapping):
        raise OptionsError(f"Options must be a dict, not {kind_of(options)}")
    return {**exact_dict(options, "Options"), **keywords}


def merge_for_attributes(options: object, keywords: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same for ``get_attributes``, which may leave the request out."""
    given = merge(options, keywords)
    return given if given.get("request") is not None else {**given, "request": {"context": {"channel": "web"}}}


def parse_names(mbox_names: object) -> list[str]:
    """The mboxes that ``get_attributes`` names: one, or a collection of them. Raises OptionsError."""
    if is_name(mbox_names):
        return [mbox_names]  # type: ignore[list-item]
    if type(mbox_names) is list and len(mbox_names) <= MAX_NAMES and all(map(is_name, copy := mbox_names.copy())):
        return copy
    names = [mbox_names] if is_text(mbox_names) else mbox_names
    if not is_a(names, list | tuple | set | frozenset):
        raise OptionsError(f"mbox_names must be a list of strings, not {kind_of(names)}")
    found = [exact_text(name) if is_text(name) else "" for name in items_of(names, MAX_NAMES, "mbox_names")]
    if not all(name.strip() for name in found):
        raise OptionsError("mbox_names must hold names: strings that are not empty")
    if any(len(name) > MAX_NAME_LENGTH for name in found):
        raise OptionsError(f"mbox_names must hold names of at most {MAX_NAME_LENGTH} characters")
    return found
