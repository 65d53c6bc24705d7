"""`/metrics`: what happens, counted as it happens, and what there is, looked up when asked.

Requests are counted by each process of the web server; under gunicorn the processes add up through
files (`gunicorn.conf.py` names the folder). Everything else is told by the parts that registered
with `add_source`, from the database and Redis at the moment of the scrape: jobs are processes that
die, and rows say what they did. Labels are route templates, states and codes, never ids.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from app.errors import NotFound

Source = Callable[[], Iterator[Metric]]
"""Tells what there is, or raises where its part is away."""

log = logging.getLogger(__name__)
metrics = Blueprint("metrics", __name__)

COUNTED = CollectorRegistry()
"""What this process has counted; under gunicorn the files of all processes take its place."""

REQUESTS = Counter(
    "videoflix_http_requests",
    "Requests that were answered, by method, route and status.",
    ["method", "route", "status"],
    registry=COUNTED,
)
LATENCY = Histogram(
    "videoflix_http_request_duration_seconds",
    "Seconds from a request to the beginning of its answer, by method and route.",
    ["method", "route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=COUNTED,
)
STREAMED = Counter(
    "videoflix_stream_answers",
    "Playlists and files of films that were served, by kind.",
    ["kind"],
    registry=COUNTED,
)
WAITS = Counter(
    "videoflix_segment_waits",
    "Requests that waited for a segment that was not there yet, by how it ended: made, pending "
    "(503 after ten seconds), busy (503 at once, too many were waiting).",
    ["result"],
    registry=COUNTED,
)
WAITING = Gauge(
    "videoflix_segment_waiters",
    "Requests that are waiting for a segment at this moment.",
    registry=COUNTED,
    multiprocess_mode="livesum",
)
STALLS = Counter(
    "videoflix_player_stalls",
    "Times that playback stood still, as players reported them.",
    registry=COUNTED,
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def init_metrics(app: Flask) -> None:
    """Count every request, and serve `/metrics`."""
    app.extensions["metric_sources"] = {}
    app.register_blueprint(metrics)

    @app.before_request
    def _start() -> None:
        g.counted_from = time.perf_counter()

    @app.after_request
    def _count(response: Response) -> Response:
        method = request.method if request.method in _METHODS else "other"
        route = request.url_rule.rule if request.url_rule else "none"
        REQUESTS.labels(method, route, str(response.status_code)).inc()
        if "counted_from" in g:  # else it was refused before anything began
            LATENCY.labels(method, route).observe(time.perf_counter() - g.counted_from)
        return response


def add_source(app: Flask, name: str, source: Source) -> None:
    """Let a part tell what there is in it; while it is away, `videoflix_source_up` says so."""
    app.extensions["metric_sources"][name] = source


@metrics.get("/metrics")
def show() -> Response:
    """All metrics as text; for nobody but METRICS_ALLOW."""
    if not _is_allowed():
        raise NotFound
    registry = CollectorRegistry()
    registry.register(_Everything())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type)


class _Everything:
    """What was counted, what the registered parts tell, and which of them could not."""

    def collect(self) -> Iterator[Metric]:
        yield from _counted()
        up = GaugeMetricFamily(
            "videoflix_source_up",
            "1: what these metrics are read from answers; 0: it does not, and they are missing.",
            labels=["source"],
        )
        for name, source in current_app.extensions["metric_sources"].items():
            try:
                yield from list(source())
                up.add_metric([name], 1)
            except Exception:  # an hour without this part is when the others are wanted most
                log.warning("no metrics of %s", name, exc_info=True)
                up.add_metric([name], 0)
        yield up


def _counted() -> Iterable[Metric]:
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return COUNTED.collect()
    with Path(folder, "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # a dead process's files are not being added to another's
        return list(MultiProcessCollector(None).collect())  # type: ignore[no-untyped-call]


def _is_allowed() -> bool:
    """Whether the one who asks is in METRICS_ALLOW.

    That is the peer, or the client that TRUSTED_PROXIES proxies name. A request that a proxy nobody
    told us of handed on has that proxy's address, which says nothing of who asks.
    """
    config = current_app.config
    if not config["TRUSTED_PROXIES"] and any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in config["METRICS_ALLOW"])


_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
