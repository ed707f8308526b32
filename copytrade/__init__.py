"""Copy a Polymarket wallet by position targeting.

The library is the deciding core: build a `Snapshot` (or read one with `decode_snapshot`), and `plan` says what to do,
and why. It is pure: no clock, no file, no network.

    from copytrade import decode_snapshot, plan
    for decision in plan(decode_snapshot(open("snapshot.json", "rb").read())).decisions:
        print(decision.token_key, decision.delta, decision.reason.value)

What `__all__` lists is public, nothing else is. Names are imported when they are first used, so that the command line
need not wait for what it does not use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from copytrade.app.backtest.assumptions import Assumptions, FillModel
    from copytrade.app.backtest.engine import backtest
    from copytrade.app.backtest.result import Result
    from copytrade.app.backtest.tape import (
        Beat,
        BookSeen,
        LeaderHeld,
        PriceSeen,
        Resolved,
        Tape,
        TokenListed,
        Traded,
    )
    from copytrade.app.documents import decode_snapshot, encode_plan, encode_snapshot
    from copytrade.domain.model import (
        Book,
        Cancel,
        CancelReason,
        Decision,
        Ledger,
        Mode,
        Order,
        Place,
        Plan,
        Position,
        Positions,
        Reason,
        Side,
        Snapshot,
        Today,
    )
    from copytrade.domain.plan import plan, tokens_to_quote, tokens_to_witness
    from copytrade.domain.policy import Policy
    from copytrade.domain.tokens import Memo
    from copytrade.errors import BadInput, CopytradeError
    from copytrade.wiring.tapes import open_tape, write_tape


__version__ = "1.0.0"

__all__ = [
    "Assumptions",
    "BadInput",
    "Beat",
    "Book",
    "BookSeen",
    "Cancel",
    "CancelReason",
    "CopytradeError",
    "Decision",
    "FillModel",
    "LeaderHeld",
    "Ledger",
    "Memo",
    "Mode",
    "Order",
    "Place",
    "Plan",
    "Policy",
    "Position",
    "Positions",
    "PriceSeen",
    "Reason",
    "Resolved",
    "Result",
    "Side",
    "Snapshot",
    "Tape",
    "Today",
    "TokenListed",
    "Traded",
    "backtest",
    "decode_snapshot",
    "encode_plan",
    "encode_snapshot",
    "open_tape",
    "plan",
    "tokens_to_quote",
    "tokens_to_witness",
    "write_tape",
]

_HOMES = {
    **dict.fromkeys(("decode_snapshot", "encode_plan", "encode_snapshot"), "copytrade.app.documents"),
    **dict.fromkeys(("plan", "tokens_to_quote", "tokens_to_witness"), "copytrade.domain.plan"),
    **dict.fromkeys(("BadInput", "CopytradeError"), "copytrade.errors"),
    "Policy": "copytrade.domain.policy",
    "Memo": "copytrade.domain.tokens",
    **dict.fromkeys(("Assumptions", "FillModel"), "copytrade.app.backtest.assumptions"),
    **dict.fromkeys(
        ("Beat", "BookSeen", "LeaderHeld", "PriceSeen", "Resolved", "Tape", "TokenListed", "Traded"),
        "copytrade.app.backtest.tape",
    ),
    "Result": "copytrade.app.backtest.result",
    "backtest": "copytrade.app.backtest.engine",
    **dict.fromkeys(("open_tape", "write_tape"), "copytrade.wiring.tapes"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "copytrade.domain.model")), name)
