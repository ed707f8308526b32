"""Who has what: cash and shares of our wallets and of the outside world, and what rests locked under orders.

What moves is conserved: what one side of a trade gives, the other gets. The outside world is a side too; whatever a
scenario gives or takes counts as `issued`. So at any time, for cash and for every token:

    what our wallets have + what the outside world has = what was issued

Every change of a holding is remembered with its time, for a positions feed that answers late (feed.py).
"""

from __future__ import annotations

from decimal import Decimal

from attrs import define, field

from copytrade.adapters.simulated.records import Held, SimOrder, Wallet
from copytrade.domain.model import ZERO, Side

_HISTORY = 512  # entries for each wallet and token that the positions feed can go back to
_PRICE = Decimal("0.0001")  # average prices are told to four decimals


@define(kw_only=True, eq=False)
class Ledger:
    """The books of the exchange, at `now`. Amounts may be negative only for the outside world."""

    now: Decimal
    wallets: dict[str, Wallet] = field(factory=dict)
    outside_cash: Decimal = ZERO
    outside_shares: dict[str, Decimal] = field(factory=dict)
    issued: dict[str, Decimal] = field(factory=dict)  # by token id, "" = cash

    def issue(self, token_id: str, amount: Decimal) -> None:
        """Count what comes from nowhere (or goes there, below 0). Whoever calls puts it into a wallet."""
        self.issued[token_id] = self.issued.get(token_id, ZERO) + amount

    def move(self, address: str, token_id: str, side: Side, price: Decimal, size: Decimal, undo: bool) -> None:
        """One party's part of a trade, or (`undo`) of one that never happened. No address: the outside world."""
        sign = 1 if side is Side.BUY else -1
        if not address:
            self.outside_cash -= sign * price * size
            self.outside_shares[token_id] = self.outside_shares.get(token_id, ZERO) + sign * size
            return
        wallet = self.wallets[address]
        held = wallet.shares.get(token_id, ZERO)
        if sign > 0 and not undo:
            cost = held * wallet.avg_prices.get(token_id, ZERO) + price * size
            wallet.avg_prices[token_id] = (cost / (held + size)).quantize(_PRICE)
        wallet.cash -= sign * price * size
        self.set_shares(wallet, token_id, held + sign * size)

    def set_shares(self, wallet: Wallet, token_id: str, size: Decimal) -> None:
        """Write a holding down, and that it is so from now on."""
        assert size >= 0, f"{wallet.address} would hold {size} of {token_id}"
        wallet.shares[token_id] = size
        history = wallet.history.setdefault(token_id, [])
        if history and history[-1].ts == self.now:
            history.pop()
        elif len(history) >= _HISTORY:
            del history[: _HISTORY // 2]
        history.append(Held(ts=self.now, size=size, avg_price=wallet.avg_prices.get(token_id, ZERO)))

    def lock(self, order: SimOrder, shares: Decimal) -> None:
        """Lock what so many shares of a resting order may cost its wallet; below 0: let it go."""
        wallet = self.wallets[order.wallet]
        if order.side is Side.BUY:
            wallet.locked_cash += shares * order.price
        else:
            wallet.locked_shares[order.token_id] = wallet.locked_shares.get(order.token_id, ZERO) + shares
