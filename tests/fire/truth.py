"""What must hold at every instant, watched in the exchange itself: it sees each order and each share as they move.

Two laws, DESIGN 4: never two live orders of ours on a token, and the true position never past the highest (or below the
lowest) want by more than the deadband and one step of share rounding. The wants are those of the leader's true holdings
since the test began, so a leader whose holding of a token moves one way only leaves no slack.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import define, field

from copytrade.adapters.simulated.ledger import Ledger
from copytrade.adapters.simulated.records import NewOrder, Posted, Wallet
from copytrade.adapters.simulated.rules import Exchange
from copytrade.adapters.simulated.scenario import LEADER
from copytrade.adapters.simulated.world import World
from copytrade.app.state import decode_state
from copytrade.domain.model import ZERO
from tests.e2e.driving import ME, D

RATIO, DEADBAND, STEP = D("0.2"), D(3), D("0.01")


@define(kw_only=True)
class Truth:
    """Every order that was accepted, and what was ever wrong."""

    world: World
    accepted: list[NewOrder] = field(factory=list)
    wrongs: list[str] = field(factory=list)
    overshoot: Decimal = ZERO  # the worst that a position was past a want, in shares
    most: dict[str, Decimal] = field(factory=dict)  # the highest want of each token so far
    least: dict[str, Decimal] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        leader, mine = (self.world.exchange.wallets[each.lower()] for each in (LEADER, ME))
        for token_id in leader.shares.keys() | mine.shares.keys():
            self._wanted(token_id, leader.shares.get(token_id, ZERO))

    def posted(self, exchange: Exchange, new: NewOrder) -> None:
        """An order of ours is about to be decided on."""
        if resting := [one.order_id[:8] for one in exchange.resting(new.token_id) if one.wallet == new.wallet]:
            self.wrongs.append(f"{new.side} {new.size} of {new.token_id[:8]}: {resting} rest there already")

    def moved(self, wallet: Wallet, token_id: str, before: Decimal) -> None:
        """A holding has changed."""
        held = wallet.shares[token_id]
        if wallet.address == LEADER:
            self._wanted(token_id, held)
            return
        self.least.setdefault(token_id, ZERO)
        past = held - self.most.setdefault(token_id, ZERO) if held > before else self.least[token_id] - held
        self.overshoot = max(self.overshoot, past)
        if past > DEADBAND + STEP:
            self.wrongs.append(f"{token_id[:8]}: {before} => {held}, past what was ever wanted by {past}")

    def _wanted(self, token_id: str, size: Decimal) -> None:
        want = (size * RATIO).quantize(STEP)
        self.most[token_id] = max(self.most.get(token_id, want), want)
        self.least[token_id] = min(self.least.get(token_id, want), want)

    def outside(self) -> dict[str, Decimal]:
        """The tokens that are not in the band now, with what is missing (> 0) or too much."""
        leader, mine = (self.world.exchange.wallets[each.lower()].shares for each in (LEADER, ME))
        gaps = {one: (leader.get(one, ZERO) * RATIO).quantize(STEP) - mine.get(one, ZERO) for one in leader | mine}
        return {token_id: gap for token_id, gap in gaps.items() if abs(gap) > DEADBAND}


@contextmanager
def watched(world: World) -> Iterator[Truth]:
    """Watch this world's exchange until the block ends."""
    truth = Truth(world=world)
    post, set_shares = Exchange.post, Ledger.set_shares

    def seen_post(exchange: Exchange, new: NewOrder) -> Posted:
        if exchange is world.exchange and new.wallet == ME.lower():
            truth.posted(exchange, new)
        answer = post(exchange, new)
        if answer.accepted:
            truth.accepted.append(new)
        return answer

    def seen_shares(ledger: Ledger, wallet: Wallet, token_id: str, size: Decimal) -> None:
        before = wallet.shares.get(token_id, ZERO)
        set_shares(ledger, wallet, token_id, size)
        if ledger is world.exchange:
            truth.moved(wallet, token_id, before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exchange, "post", seen_post)
        patch.setattr(Ledger, "set_shares", seen_shares)
        yield truth


def assert_state_is_readable(folder: Path) -> None:
    """Whatever happened to the process: where there is a state, it and its backup are whole."""
    for name in ("state.json", "state.json.bak"):
        if (folder / name).exists():
            decode_state((folder / name).read_bytes())


def in_state(folder: Path, *kinds: str) -> Counter[str]:
    """How many of our orders the state file knows under each of `kinds` (`open_orders`, `in_doubt` …)."""
    if not (folder / "state.json").exists():
        return Counter()
    state = json.loads((folder / "state.json").read_bytes())
    return Counter({kind: sum(len(each) for each in state[kind].values()) for kind in kinds})
