"""A watch over every order that reaches the exchange."""

from decimal import Decimal

import pytest

from copytrade.adapters.simulated.records import NewOrder, Posted
from copytrade.adapters.simulated.rules import Exchange
from tests.e2e.driving import Watch


@pytest.fixture
def watch_orders(monkeypatch):
    """`watch_orders(slice_max)` gives a `Watch` that sees each order just before the exchange decides on it."""

    def over(slice_max: str) -> Watch:
        watch, post = Watch(), Exchange.post

        def seen(exchange: Exchange, new: NewOrder) -> Posted:
            watch.look(exchange, new, slice_max=Decimal(slice_max))
            return post(exchange, new)

        monkeypatch.setattr(Exchange, "post", seen)
        return watch

    return over
