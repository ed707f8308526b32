"""Metrics over HTTP: what Prometheus reads, from where it may, and that nobody waits for it."""

import socket
from decimal import Decimal

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from copytrade.adapters.prometheus import HOST, Numbers, served
from copytrade.app.metrics import FAMILIES
from copytrade.errors import RefusedToStart
from tests.app.test_metrics import STARTED, placed, seen


def scraped(port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False)
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_scrape_tells_what_was_counted():
    numbers = Numbers(lambda: {("copytrade_alerts_total", ("dropped",)): Decimal(3)})
    numbers.on_start(STARTED)
    with served(0, numbers) as port:
        before = scraped(port)
        assert before["copytrade_orders_total", (("outcome", "accepted"), ("side", "BUY"))] == 0
        numbers.on_cycle(seen("want 100, book 0.49/0.51, cash 99.5", results=(placed("accepted"),)))
        found = scraped(port)
    assert found["copytrade_orders_total", (("outcome", "accepted"), ("side", "BUY"))] == 1
    assert found["copytrade_cash_pusd", ()] == 99.5
    assert found["copytrade_tokens", (("reason", "QUOTED"),)] == 1
    assert found["copytrade_alerts_total", (("outcome", "dropped"),)] == 3
    assert found["copytrade_cycle_duration_seconds_count", ()] == 1
    assert found["copytrade_cycle_duration_seconds_sum", ()] == 0.3
    assert found["copytrade_cycle_duration_seconds_bucket", (("le", "0.25"),)] == 0
    assert found["copytrade_cycle_duration_seconds_bucket", (("le", "0.5"),)] == 1
    assert found["copytrade_cycle_duration_seconds_bucket", (("le", "+Inf"),)] == 1
    assert found["process_resident_memory_bytes", ()] > 0


def test_every_family_is_served():
    numbers = Numbers()
    numbers.on_start(STARTED)
    numbers.on_cycle(seen("want 100, hold 9, book 0.49/0.51, cash 99.5, spent 3"))
    with served(0, numbers) as port:
        names = {name for name, _ in scraped(port)}
    for family in FAMILIES:
        assert {family.name, f"{family.name}_bucket"} & names, family.name


def test_only_this_machine_can_ask():
    numbers = Numbers()
    with served(0, numbers) as port, socket.socket() as other:
        other.bind(("127.0.0.2", port))  # it would be taken, if every address were listened on
    assert HOST == "127.0.0.1"


def test_a_port_that_is_taken_is_told_and_nothing_is_started():
    with served(0, Numbers()) as port:
        words = f"127.0.0.1:{port} .*another metrics_port"
        with pytest.raises(RefusedToStart, match=words), served(port, Numbers()):
            pass


def test_who_connects_and_says_nothing_keeps_nobody_waiting():
    numbers = Numbers()
    numbers.on_start(STARTED)
    with served(0, numbers) as port, socket.create_connection((HOST, port)):
        assert scraped(port)


def test_it_is_gone_with_the_run():
    with served(0, Numbers()) as port:
        pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False)
