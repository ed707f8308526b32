"""Who is told of a run: its log, alerts and metrics. What they say is settled in app/alerts.py and app/metrics.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from copytrade.adapters.logs import set_up_logging
from copytrade.app.checks import Unknown
from copytrade.app.config import Config
from copytrade.errors import RefusedToStart

if TYPE_CHECKING:
    from copytrade.app.metrics import Series
    from copytrade.app.watching import Watcher

__all__ = ["listeners", "set_up_logging", "told"]


@contextlib.contextmanager
def listeners(config: Config) -> Iterator[tuple[Watcher, ...]]:
    """Who is told of a run beside its screen: alerts, where there are addresses for them, and metrics.

    Raises RefusedToStart: an extra is missing, an address is none, a port is taken.
    """
    from copytrade.adapters import notifying
    from copytrade.app.alerts import Alerts, Kind

    with contextlib.ExitStack() as stack:
        watchers: list[Watcher] = []
        counts: Callable[[], Mapping[Series, Decimal]] = dict
        urls = notifying.load_urls(config.alert_urls_path)
        alerts = None
        if urls:
            sender = stack.enter_context(notifying.sending(urls, name=_short(config.policy.my_address)))
            on = frozenset(map(Kind, config.alert_on))
            alerts = Alerts(sender.send, on=on, after_sec=config.alert_after_sec)
            watchers.append(alerts)
            counts = sender.series
        if config.metrics_port is not None:
            from copytrade.adapters import prometheus

            numbers = prometheus.Numbers(counts)
            stack.enter_context(prometheus.served(config.metrics_port, numbers))
            watchers.append(numbers)
        try:
            yield tuple(watchers)
        except BaseException as error:
            if alerts is not None and not alerts.ended:
                alerts.not_started(notifying.now(), error)
            raise


def told(config: Config) -> str | Unknown:
    """Who would be told of a run, in words; or why a start would be refused for it."""
    try:
        with listeners(config) as watchers:
            names = {type(watcher).__name__ for watcher in watchers}
    except RefusedToStart as error:
        return Unknown(why=str(error), no=True)
    alerts = "alerts go out" if "Alerts" in names else "no alerts"
    return f"{alerts}, " + (f"metrics on port {config.metrics_port}" if "Numbers" in names else "no metrics")


def _short(address: str) -> str:
    return f"{address[:6]}…{address[-4:]}"
