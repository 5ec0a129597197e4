"""Which user agents are no people: crawlers, most of them as ua-parser tells, and health checks.

Not among them are the libraries that programs speak HTTP by (curl, Wget, okhttp, python-requests): people's apps have
their names, too, and who tries a page by hand wants to see what a visitor sees. So do tests that drive a browser
(HeadlessChrome).
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from target.decisioning.user_agent import to_ascii
from target.errors import OptionsError

# Genuine ones are shorter, and callers do not choose them: the parser takes 5 ms for 512 semicolons, and 3 for half.
_MAX_LENGTH = 512
_MOST_PARSED = 256
_SPIDER = "Spider"
#: Health checks of platforms and of monitoring services, as their documentation says what they send. Case counts here,
#: as it does for the parser.
_CHECKS = (
    "kube-probe/",
    "GoogleHC/",
    "GoogleStackdriverMonitoring-UptimeChecks",
    "ELB-HealthChecker/",
    "Amazon-Route53-Health-Check-Service",
    "CloudWatchSynthetics",
    "Edge Health Probe",  # Azure Front Door
    "Azure Traffic Manager Endpoint Monitor",
    "Load Balancer Agent",  # Azure
    "^(?:AlwaysOn$|HealthCheck/|ReadyForRequest/)",  # Azure App Service
    "Cloudflare-(?:Healthchecks|Traffic-Manager)",
    "Consul Health Check",
    "Envoy/HC",
    "Blackbox[ -]Exporter/|^Prometheus/",
    "check_http/",  # Nagios, Icinga
    "^Zabbix",
    "Datadog/?Synthetics",
    "NewRelicPinger",
    "RuxitSynthetic",  # Dynatrace
    "Catchpoint|Site24x7|Uptime-Kuma/|UptimeRobot|Pingdom|StatusCake|Checkly|HetrixTools|Better (?:Uptime|Stack)",
    r"updown\.io",
)
#: Crawlers that the parser does not know, or takes for the phone or browser whose name they bear.
_CRAWLERS = (
    r"[A-Za-z][Bb]ot/\d",
    r"compatible; ?[A-Za-z-]{0,30}(?:[Bb]ot|[Ss]pider|[Cc]rawler)\b",
    "Mediapartners-Google|FeedFetcher-Google|Google-(?:InspectionTool|Read-Aloud|Safety)|GoogleOther|Chrome-Lighthouse",
    "meta-external(?:agent|fetcher|ads)",
    "(?:ChatGPT|Claude|Perplexity|MistralAI)-User",
)
_NAMES = re.compile("|".join((*_CHECKS, *_CRAWLERS)))


def require_parser() -> None:
    """Check that the parser is installed. Raises OptionsError."""
    if find_spec("ua_parser") is None:
        raise OptionsError(
            "Option 'exclude_bots' needs the package ua-parser, which the extra 'on-device' has: "
            "pip install 'target-delivery[on-device]'"
        )


def is_bot(user_agent: Any) -> bool:
    """Whether ``user_agent`` is a crawler's or a health check's. Never fails; who sends none is not known to be one."""
    return isinstance(user_agent, str) and _is_bot(user_agent[:_MAX_LENGTH])


@lru_cache(maxsize=4096)
def _is_bot(user_agent: str) -> bool:
    import ua_parser  # an extra, and slow to import

    text = to_ascii(user_agent)
    if _NAMES.search(text):
        return True
    device = ua_parser.parse_device(text[:_MOST_PARSED])
    return device is not None and device.family == _SPIDER
