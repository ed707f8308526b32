"""What services answer, turned into the facts of a snapshot."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from copytrade.app.facts import tops, with_ids
from copytrade.app.ports import FullBook, Level
from copytrade.domain.model import Order, Position, Positions, Side
from copytrade.domain.quote import top_without

D = Decimal
PRICES = st.integers(1, 99).map(lambda cents: D(cents) / 100)
LEVELS = st.lists(
    st.builds(Level, price=PRICES, size=st.sampled_from([D(0), D("0.01"), D(10), D("25.5")])), max_size=6
).map(tuple)
OURS = st.lists(
    st.builds(
        Order,
        order_id=st.just("0xaa"),
        side=st.sampled_from(Side),
        price=PRICES,
        size=st.sampled_from([D(10), D("25.5")]),
    ),
    max_size=2,
).map(tuple)


class TestTheTopOfABook:
    @given(bids=LEVELS, asks=LEVELS, own=OURS)
    def test_is_what_is_left_when_our_orders_are_taken_out(self, bids, asks, own):
        [top] = tops({"1": FullBook(token_id="1", bids=bids, asks=asks)}, {"1": own}).values()
        assert top.best_bid == top_without([(level.price, level.size) for level in bids], own, Side.BUY)
        assert top.best_ask == top_without([(level.price, level.size) for level in asks], own, Side.SELL)


class TestIds:
    """Only ids that were checked are in a snapshot, whatever a row claims."""

    def row(self, key: str, token_id: str | None) -> Position:
        return Position(token_key=key, condition_id="0xc", outcome_index=0, size=D(5), token_id=token_id)

    def test_of_rows(self):
        rows = (self.row("0xc:0", "1"), self.row("0xc:1", "9"), self.row("0xc:2", "3"), self.row("0xc:3", None))
        given_ids = with_ids(Positions(positions=rows), {"0xc:0": "1", "0xc:1": "2", "0xc:3": "4"})
        assert [row.token_id for row in given_ids.positions] == ["1", "2", None, "4"]
