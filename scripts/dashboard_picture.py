"""Makes docs/pictures/dashboard.png: what docs/dashboards/target.json shows of a shop that has a bad minute.

A client calls the emulator, a Prometheus scrapes it each second (`apt-get install prometheus`), and each panel is drawn
of what that Prometheus answers to the panel's own queries. Grafana itself is not needed: it draws the same numbers.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, MaxNLocator
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server

from target import Outbox, TargetClient, TargetError
from target.emulator import Emulator, running
from target.integrations.opentelemetry import OpenTelemetryHook

DOCS = Path(__file__).parents[1] / "docs"
DASHBOARD = DOCS / "dashboards" / "target.json"
PICTURE = DOCS / "pictures" / "dashboard.png"
_MINUTES = 3.0
_SCRAPE_S = 1
_WARM_UP_S = 12  # until rates are there
_WINDOW = "10s"  # of rates: Grafana takes four scrapes at least
_OUTAGE = (0.35, 0.6)  # when, as parts of the time
_CALLS_PER_S = 20
_COLUMNS = 24  # of Grafana's grid
_GROUND, _PANEL, _INK = "#111217", "#181b1f", "#ccccdc"
_COLORS = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff")


def main() -> int:
    """Make it; the exit code."""
    program = shutil.which("prometheus")
    if program is None:
        sys.exit("Prometheus is needed: apt-get install prometheus")
    provider = MeterProvider(metric_readers=[PrometheusMetricReader()])
    exporter, _ = start_http_server(0, "127.0.0.1")
    with running() as emulator, prometheus(program, exporter.server_port) as url:
        logging.getLogger("target").setLevel(logging.CRITICAL)  # of what goes wrong here the picture tells
        began = time.time() + _WARM_UP_S
        visit(emulator, provider)
        time.sleep(2 * _SCRAPE_S)
        draw(json.loads(DASHBOARD.read_text(encoding="utf-8")), url, began, time.time())
    exporter.shutdown()
    print(f"wrote {PICTURE.name}")
    return 0


@contextmanager
def prometheus(program: str, scraped_port: int) -> Iterator[str]:
    """Runs one that scrapes this port: its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "prometheus.yml")
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": f"{_SCRAPE_S}s"},
                    "scrape_configs": [
                        {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{scraped_port}"]}]}
                    ],
                }
            ),
            encoding="utf-8",
        )
        process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(100):
                with suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=1):
                    break
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def visit(emulator: Emulator, provider: MeterProvider) -> None:
    """A few minutes in the shop: in the middle of it the API fails, as the service did that it stands for."""
    random.seed(12)
    hook = OpenTelemetryHook(meter_provider=provider, evaluations=False)
    shared: dict[str, Any] = {
        "client": "acmeclient",
        "organization_id": "1234567890@AdobeOrg",
        "server_domain": emulator.server_domain,
        "secure": False,
        "hooks": [hook],
        "breaker_failures": 5,
        "breaker_reset": 3000,
        "timeout": 1000,
    }
    hybrid = {"decisioning_method": "hybrid", "cdn_base_path": emulator.url, "polling_interval": 30_000}
    outbox = Outbox.memory(flush_interval=500, max_age=25_000)
    with TargetClient.create(**shared, **hybrid, outbox=outbox) as in_process, TargetClient.create(**shared) as served:
        began, length_s = time.monotonic(), _MINUTES * 60
        while (at := (time.monotonic() - began) / length_s) < 1:
            if _OUTAGE[0] < at < _OUTAGE[1]:
                emulator.fail_next(2, "503", of="delivery")
            else:
                emulator.fail_no_more()
                if random.random() < 0.15:
                    emulator.fail_next(1, latency_ms=random.choice([20, 40, 80, 300]), of="delivery")
            with suppress(TargetError):
                call(in_process, served)
            time.sleep(random.expovariate(_CALLS_PER_S))


def call(in_process: TargetClient, served: TargetClient) -> None:
    """One visitor, of one kind or another."""
    visitor = {"tntId": f"visitor{random.randrange(10**6)}"}
    mboxes = {"mboxes": [{"name": name} for name in random.sample(["home", "prices", "nothing"], 2)]}
    chance = random.random()
    if chance < 0.5:
        in_process.get_offers(request={"id": visitor, "execute": mboxes})
    elif chance < 0.8:
        served.get_offers(request={"id": visitor, "execute": mboxes})
    elif chance < 0.9:
        served.get_attributes(["prices"], request={"id": visitor})
    else:
        result = served.get_offers(request={"id": visitor, "prefetch": {"mboxes": [{"name": "home"}]}})
        served.notify(result, displayed=["home"])


def asked(url: str, query: str, began: float, ended: float) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
    """What Prometheus answers: of each series its labels, and points in seconds from the begin."""
    for name, value in (("$__rate_interval", _WINDOW), ("$client", ".*")):
        query = query.replace(name, value)
    parameters = urllib.parse.urlencode({"query": query, "start": began, "end": ended, "step": _SCRAPE_S})
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{parameters}", timeout=20) as answer:
        found = json.load(answer)
    if found["status"] != "success":
        raise RuntimeError(f"{query}: {found}")
    return [
        (series["metric"], [(float(at) - began, float(value)) for at, value in series["values"] if value != "NaN"])
        for series in found["data"]["result"]
    ]


def draw(dashboard: dict[str, Any], url: str, began: float, ended: float) -> None:
    """Each panel where the dashboard has it."""
    plt.rcParams.update({"text.color": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK})
    plt.rcParams.update({"font.size": 8, "axes.edgecolor": "#2c3235"})
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    figure = plt.figure(figsize=(15, rows * 0.36), facecolor=_GROUND)
    figure.text(0.012, 0.985, dashboard["title"], fontsize=13, weight="bold", va="top")
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        left, width = place["x"] / _COLUMNS, place["w"] / _COLUMNS
        height = place["h"] / rows * 0.96
        bottom = (1 - (place["y"] + place["h"]) / rows) * 0.96
        axes = figure.add_axes((left + 0.035, bottom + 0.055, width - 0.05, height - 0.095), facecolor=_PANEL)
        draw_panel(axes, panel, url, began, ended)
    figure.savefig(PICTURE, dpi=80, facecolor=_GROUND)


def draw_panel(axes: Any, panel: dict[str, Any], url: str, began: float, ended: float) -> None:
    """One panel: lines, or areas upon each other."""
    defaults = panel["fieldConfig"]["defaults"]
    axes.set_title(panel["title"], loc="left", fontsize=9, weight="bold", color=_INK)
    axes.grid(color="#2c3235", linewidth=0.5)
    lines = []
    for target in panel["targets"]:
        for labels, points in asked(url, target["expr"], began, ended):
            legend = target["legendFormat"]
            for name, value in labels.items():
                legend = legend.replace(f"{{{{{name}}}}}", value)
            lines.append((legend, points))
    if not lines:
        raise RuntimeError(f"{panel['title']}: there is nothing to show")
    lines.sort()
    if defaults["custom"]["stacking"]["mode"] == "normal":
        moments = sorted({at for _, points in lines for at, _ in points})
        stacked = [[dict(points).get(at, 0.0) for at in moments] for _, points in lines]
        axes.stackplot(moments, stacked, labels=[legend for legend, _ in lines], colors=_COLORS, alpha=0.75)
    else:
        for (legend, points), color in zip(lines, _COLORS * 3, strict=False):
            axes.plot(*zip(*points, strict=True), label=legend, linewidth=1.4, color=color)
    axes.set_xlim(0, ended - began)
    top = max(axes.get_ylim()[1], max(value for _, points in lines for _, value in points) * 1.05, 1e-4)
    axes.set_ylim(0, min(top, defaults.get("max", top)) if defaults["unit"] == "percentunit" else top)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: in_unit(value, defaults["unit"])))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=defaults["unit"] == "short"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{int(at) // 60}:{int(at) % 60:02}"))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, fontsize=7, frameon=False, labelcolor=_INK)


def in_unit(value: float, unit: str) -> str:
    """A number as Grafana has it in this unit."""
    if unit == "s":
        return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"
    if unit == "percentunit":
        return f"{value:.0%}"
    return f"{value:g}{'/s' if unit in ('reqps', 'ops') else ''}"


if __name__ == "__main__":
    sys.exit(main())
