"""The numbers of a run, served to Prometheus: `GET /metrics` on this machine's loopback, and nowhere else.

Requests are answered by threads of their own from the last whole `Readings`, so a scrape neither waits for a cycle nor
delays one. Beside them stand the usual numbers of a process (memory, CPU, open files).

With the extra `metrics`. Not here: what is counted (app/metrics.py).
"""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from copytrade.app.metrics import BUCKETS, COUNTER, FAMILIES, HISTOGRAM, Family, Readings, Series, after, at_start
from copytrade.app.watching import Seen, Started, Stopped
from copytrade.errors import RefusedToStart

if TYPE_CHECKING:
    from decimal import Decimal

    from prometheus_client import Metric

HOST = "127.0.0.1"

Counts = Callable[[], Mapping[Series, "Decimal"]]  # counters that somebody else keeps


class Numbers:
    """The watcher that counts; it is also what prometheus-client calls a collector."""

    def __init__(self, others: Counts = dict) -> None:
        self.readings = Readings()
        self._others = others

    def on_start(self, started: Started) -> None:
        self.readings = at_start(started)

    def on_cycle(self, seen: Seen) -> None:
        self.readings = after(self.readings, seen)

    def on_stop(self, stopped: Stopped) -> None:
        """Nothing is left to be counted."""

    def collect(self) -> Iterator[Metric]:
        """Every family that has a number now."""
        readings = self.readings  # once: another thread may put the next one in its place meanwhile
        counters = {**readings.counters, **self._others()}
        for family in FAMILIES:
            if family.kind == HISTOGRAM:
                yield _histogram(family, readings)
                continue
            numbers = counters if family.kind == COUNTER else readings.gauges
            found = [(labels, value) for (name, labels), value in numbers.items() if name == family.name]
            if found:
                yield _metric(family, found)


def _metric(family: Family, found: Iterable[tuple[tuple[str, ...], Decimal]]) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    make = CounterMetricFamily if family.kind == COUNTER else GaugeMetricFamily
    metric = make(family.name, family.help, labels=family.labels)
    for labels, value in found:
        metric.add_metric(labels, float(value))
    return metric


def _histogram(family: Family, readings: Readings) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    buckets = [(str(most), float(many)) for most, many in zip(BUCKETS, readings.durations, strict=True)]
    metric = HistogramMetricFamily(family.name, family.help)
    metric.add_metric([], [*buckets, ("+Inf", float(readings.cycles))], float(readings.duration_sum))
    return metric


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request: one that is slow keeps nobody waiting, not even the end of the process."""

    daemon_threads = True


class _Silent(WSGIRequestHandler):
    """Standard error is the run's."""

    timeout = 10  # seconds; who connects and says nothing is let go

    def log_message(self, *_: object) -> None:
        """Not a line for each scrape."""


@contextlib.contextmanager
def served(port: int, numbers: Numbers) -> Iterator[int]:
    """Serve the numbers while the block runs; gives the port (another one where 0 was asked for).

    Raises RefusedToStart: the extra is not installed, or the port is taken.
    """
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
    except ImportError:
        raise RefusedToStart(
            'metrics_port needs the extra "metrics": pip install "copytrade[metrics]", or leave the key out'
        ) from None
    registry = CollectorRegistry()
    registry.register(numbers)
    ProcessCollector(registry=registry)
    try:
        server = make_server(HOST, port, make_wsgi_app(registry), _Server, handler_class=_Silent)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise RefusedToStart(
            f"the metrics can't be served on {HOST}:{port} ({error.strerror}): choose another metrics_port"
        ) from None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
