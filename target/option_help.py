"""What `help` of the clients' methods says of their options, written by `make option-help`: do not edit."""

from __future__ import annotations

_COMMON_OPTIONS = """\
    client (str, required): Client code of the Target account; also the first label of its default host.
    organization_id (str, required): Experience Cloud organization, e.g. "1234@AdobeOrg"; sent as imsOrgId.
    timeout (float | None): Deadline of one whole call in ms: connecting, retries, headers and body. Default 3000.
    server_domain (str | None): Host, with an optional port, used instead of <client>.tt.omtrdc.net.
    secure (bool | None): False sends plain HTTP; for a local emulator. Default True.
    target_location_hint (str | None): Edge cluster (1 to 4 digits) for calls that name none, until an answer
        names one.
    property_token (str | None): at_property token, sent with every request that has no property of its own.
    environment_id (int | None): Target environment, sent with every request that has no environmentId of its own.
    version (str | None): Value of the query parameter version; left out by default.
    logger (LoggerLike | None): This client's log: a logging.Logger or an adapter of one, or any other object with
        debug and error, such as structlog's and loguru's: these get texts that are complete. Default: the logger
        target.
    events (Mapping[str, EventHandler] | None): Handlers by event name; each is called with one dict that carries
        type, in an empty context (contextvars).
    hooks (Sequence[Any] | None): Objects with any of the methods of target.Hook, which are called around every
        call of the client.
    debug_calls (bool | None): Whether a line for people follows each call: in the log, or where that hides it, on
        stderr. Default False.
    telemetry_enabled (bool | None): Whether call durations may be reported to Adobe. Default True.
    decisioning_method (Literal['server-side', 'on-device', 'hybrid'] | None): Where decisions are made:
        "server-side", "on-device" from rules that are fetched now and then, or "hybrid": on the device where the
        rules can decide all of a request, else on the server. Default "server-side".
    polling_interval (float | None): On-device: ms between downloads of the rules. Default 300000.
    artifact_location (str | None): On-device: full URL of the rules.
    artifact_headers (Mapping[str, str] | Callable[[], Mapping[str, str]] | None): On-device: headers sent along
        when the rules are asked for, such as Authorization for private rules; or a function that returns them, called
        on a thread of the client's before each download. Default: none.
    artifact_payload (Mapping[str, Any] | None): On-device: the first rules, as parsed JSON.
    environment (str | None): On-device: name of the environment whose rules are used. Default "production".
    cdn_environment (str | None): On-device: which CDN holds the rules. Default "production".
    cdn_base_path (str | None): On-device: base URL of rules and geo lookup. Default
        "https://assets.adobetarget.com".
    maximum_wait_ready (float | None): On-device: ms that create waits for the first rules. Default 5000.
    artifact_cache (str | os.PathLike[str] | None): On-device: a file that keeps the last good rules, for a start
        while the CDN is away. Default: none.
    artifact_source (ArtifactSource | SharedSource | None): On-device: where the rules come from in place of the
        CDN: an object of yours, such as one that reads a file; or what shares those of the CDN among processes, such
        as RedisArtifacts. Default: none, which is the CDN.
    edge_routing (bool | None): False keeps every call on server_domain, whatever cluster the visitor belongs to.
        Default True.
    retries (int | None): Further attempts after a failure that is safe to repeat, within timeout. Default 1.
    pool_size (int | None): Connections kept open per host. Default 32, and background_concurrency more where
        something is sent in the background.
    pool (urllib3.PoolManager | None): Your own PoolManager or ProxyManager; it is never closed by the client.
    proxy (str | None): URL of an HTTP proxy, credentials included if it needs them.
    trust_env (bool | None): Whether the environment's HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY (or in
        lower case, which wins) are followed, as they are when the client is made, where neither proxy nor pool is
        given. Default True.
    max_idle (float | None): ms after which an idle connection is not used again. Default 50000, as what lies
        between may forget it after 60 s, and does so in silence. 0: every call connects anew.
    ca_certs (str | None): Path of a PEM bundle to verify servers with, instead of the system's.
    max_response_bytes (int | None): Unpacked size above which an answer, an artifact or a place is refused.
        Default 67108864 (64 MiB).
    max_response_values (int | None): JSON values, an object counted as four, above which an answer is refused
        before it is parsed; each comes to about 100 bytes of memory. Default 1000000, or one for every 6 bytes of an
        answer that is larger than 6 MB (3 bytes of an artifact).
    background_concurrency (int | None): Calls that are sent at once to one host, at most, by the outbox and in
        the background after decisions on the device: as many threads as there is work for, which end when there is
        none. Default 32.
    background_queue (int | None): On-device, without an outbox: how many calls may wait to be sent in the
        background. Default 10000, some 50 MB.
    breaker_failures (int | None): Failed calls in a row (TransportError, TargetTimeout, 5xx) after which a host
        is left alone and calls raise TargetUnavailable at once. Default 0: never.
    breaker_reset (float | None): ms for which such a host is left alone; then one call at a time tries it.
        Default 30000.
    default_attributes (Mapping[str, Mapping[str, Any]] | None): {mbox: {key: value}}: what get_attributes answers
        with when the service cannot be reached or fails.
    outbox (Outbox | None): Where queue_notifications keeps notifications until Target has acknowledged them.
        Default: none.
    allow_overrides (bool | None): Whether something may be put in the place of what Target decides: by overrides,
        client.override(...) and override tokens. Default False, which is right in production unless testers see
        overrides there.
    overrides (Mapping[str, Any] | None): {mbox: what}: what mboxes show everybody, whatever Target would decide.
    override_key (str | Sequence[str] | None): A secret of at least 16 characters that signs override links, the
        same in every process; of several, the last one signs, and the others are still read. Default: none, and no
        link counts.
    offline (bool | None): True opens no socket, ever: rules that are given or cached (artifact_payload,
        artifact_cache) answer, and what they do not decide is default content. Default False.
    exclude_bots (bool | None): True answers calls whose context.userAgent is a crawler's or a health check's with
        default content, and counts nothing of them. Default False.
"""

_CLIENT_OPTIONS = """\
    async_workers (int | None): Threads, at most, that serve the calls with a callback to the account's host; the
        clusters that visitors' cookies name have as many together (docs/reliability.md). Default 8.
"""

_ASYNC_CLIENT_OPTIONS = """\
    transport (Literal['auto', 'threads', 'aiohttp'] | None): "aiohttp": sockets on the event loop, with the extra
        target-delivery[aiohttp]. "threads": urllib3 on threads of the client's own. Default "auto": aiohttp where it
        is installed and no pool is given.
    max_concurrency (int | None): Calls sent at once to the account's host, and to the clusters that visitors'
        cookies name together (docs/reliability.md); further ones wait their turn, within their timeout. Default 64.
"""

_CALL_OPTIONS = """\
    target_cookie (str | None): Value of the visitor's mbox cookie.
    target_location_hint (str | None): Value of the visitor's mboxEdgeCluster cookie; anything but 1 to 4 digits
        is ignored.
    visitor (Visitor | None): Experience Cloud identity of the visitor; share one between the calls of one page.
    visitor_cookie (str | None): Value of the visitor's AMCV_ cookie, where you have no Visitor of your own.
    consumer_id (str | None): Which part of the page asks; calls of one page that share an Analytics hit name
        different ones.
    customer_ids (Sequence[CustomerId | Mapping[str, Any]] | Mapping[str, CustomerIdDict | str | int | UUID] |
        None): Ids of the visitor in your systems: CustomerId objects, or {integration code: {"id", "authState"}}, or
        the id alone.
    session_id (str | int | UUID | None): Session to use where the cookie holds none: 1 to 128 printable ASCII
        characters, no space ? / { }.
    decisioning_method (Literal['server-side', 'on-device', 'hybrid'] | None): Overrides the client's for this
        call.
    override_token (str | None): What the request of a tester says of overrides: the value of the cookie or query
        parameter target_override.
"""

_REQUEST_OPTIONS = """\
    request (DeliveryRequest | Mapping[str, Any], required): What to ask: a DeliveryRequest, or the same in wire
        form.
"""

_REQUEST_CALLBACK_OPTIONS = """\
    callback (Callable[[TargetDeliveryResponse], object]): Called, on a worker thread, in a copy of the caller's
        context (contextvars), with what the synchronous call would return.
    err_callback (Callable[[Exception], object] | None): Called, on a worker thread, in a copy of the caller's
        context, with the exception the synchronous call would raise.
"""

_NOTIFY_OPTIONS = """\
    displayed (Sequence[str | Notification | Mapping[str, Any]] | str | None): Names of the mboxes that were
        shown; a Notification of your own is sent as it is.
    clicked (Sequence[str | Notification | Mapping[str, Any]] | str | None): Names of the mboxes that were
        clicked, likewise.
    page_load (bool | None): Whether the page as a whole was shown.
    views (Sequence[str] | str | None): Names of the views that were shown, likewise.
    order (Order | Mapping[str, Any] | None): What was bought, told once: with the first click, or where there is
        none with the first display; of what has no token too.
    timestamp (float | datetime | None): When, in milliseconds since 1970, or as a datetime (UTC where it names no
        offset). Default: now.
    request (DeliveryRequest | Mapping[str, Any] | None): Fields of the request that are to be others than in the
        call of the result; further notifications.
"""

_NOTIFY_CALLBACK_OPTIONS = """\
    callback (Callable[[TargetDeliveryResponse], object]): Called, on a worker thread, in a copy of the caller's
        context (contextvars), with what the synchronous call would return.
    err_callback (Callable[[Exception], object] | None): Called, on a worker thread, in a copy of the caller's
        context, with the exception the synchronous call would raise.
"""

_ATTRIBUTES_OPTIONS = """\
    request (DeliveryRequest | Mapping[str, Any] | None): What else to ask, and the context to ask in.
"""

_ATTRIBUTES_CALLBACK_OPTIONS = """\
    callback (Callable[[AttributesProvider], object]): Called, on a worker thread, in a copy of the caller's
        context (contextvars), with what the synchronous call would return.
    err_callback (Callable[[Exception], object] | None): Called, on a worker thread, in a copy of the caller's
        context, with the exception the synchronous call would raise.
"""

#: By class and method: the options that its callers write.
OPTIONS = {
    "target.notifying.NotifyingClient": {
        "send_notifications": _REQUEST_OPTIONS + _CALL_OPTIONS + _REQUEST_CALLBACK_OPTIONS,
        "queue_notifications": _REQUEST_OPTIONS + _CALL_OPTIONS,
        "notify": _CALL_OPTIONS + _NOTIFY_OPTIONS + _NOTIFY_CALLBACK_OPTIONS,
        "queue": _CALL_OPTIONS + _NOTIFY_OPTIONS,
    },
    "target.notifying.AsyncNotifyingClient": {
        "send_notifications": _REQUEST_OPTIONS + _CALL_OPTIONS,
        "queue_notifications": _REQUEST_OPTIONS + _CALL_OPTIONS,
        "notify": _CALL_OPTIONS + _NOTIFY_OPTIONS,
        "queue": _CALL_OPTIONS + _NOTIFY_OPTIONS,
    },
    "target.explaining.ExplainingClient": {
        "explain": _REQUEST_OPTIONS + _CALL_OPTIONS,
    },
    "target.explaining.AsyncExplainingClient": {
        "explain": _REQUEST_OPTIONS + _CALL_OPTIONS,
    },
    "target.client.TargetClient": {
        "create": _COMMON_OPTIONS + _CLIENT_OPTIONS,
        "get_offers": _REQUEST_OPTIONS + _CALL_OPTIONS + _REQUEST_CALLBACK_OPTIONS,
        "get_attributes": _CALL_OPTIONS + _ATTRIBUTES_OPTIONS + _ATTRIBUTES_CALLBACK_OPTIONS,
    },
    "target.aio.AsyncTargetClient": {
        "create": _COMMON_OPTIONS + _ASYNC_CLIENT_OPTIONS,
        "get_offers": _REQUEST_OPTIONS + _CALL_OPTIONS,
        "get_attributes": _CALL_OPTIONS + _ATTRIBUTES_OPTIONS,
    },
}
