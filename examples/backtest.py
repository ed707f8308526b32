"""What would following a wallet have made? A leader buys, the price comes to us, and the market resolves.

Run it as it stands: `python examples/backtest.py`.
"""

from decimal import Decimal as D

from copytrade import Assumptions, BookSeen, LeaderHeld, Policy, Resolved, Side, Tape, TokenListed, Traded, backtest

KEY, START = "0xc1:0", 1766000000  # one outcome of one market, and when the history begins


def book(second: int, bid: str, ask: str) -> BookSeen:
    """What the order book shows: 200 shares on each side."""
    return BookSeen(at=D(START + second), token_key=KEY, bids=((D(bid), D(200)),), asks=((D(ask), D(200)),))


def sold(second: int, price: str, size: str) -> Traded:
    """Somebody comes to the book and sells."""
    return Traded(at=D(START + second), token_key=KEY, price=D(price), size=D(size), taker=Side.SELL)


history = Tape.of(
    [
        TokenListed(at=D(START), token_key=KEY, token_id="111", tick_size=D("0.01"), min_order_size=D(5)),
        book(0, "0.50", "0.53"),
        LeaderHeld(at=D(START + 5), token_key=KEY, size=D(500), avg_price=D("0.53")),
        *(event for s in range(30, 600, 30) for event in (book(s, "0.50", "0.53"), sold(s + 5, "0.50", "60"))),
        Resolved(at=D(START + 900), token_key=KEY, payout=D(1)),
    ],
    has_trades=True,
)
for fills in ("optimistic", "pessimistic"):
    found = backtest(history, Policy(follow_ratio=D("0.2")), fills=fills, assumptions=Assumptions(feed_lag_sec=D(10)))
    total = found.summary
    print(f"{fills:<12} profit {total.pnl:>7.2f} pUSD   ideal {total.ideal_pnl:.2f}   naive {total.naive_pnl:.2f}")
    for fill in found.fills[:3]:
        print(f"    {fill.at - START:>5} s   {fill.side.value} {fill.size} @ {fill.price}")
