"""A world in one line, and what is done about it in another: the notation of the tables in this folder.

    ("want 100, hold 60..80, book 0.61/0.63", "BUY 20 @ 0.61")

A world is a list of clauses, in any order. Several tokens are separated by `|` and named: `A: … | B: …`; a token
without a name is `A`. Token `A` has the key `0xa:0` and the id `10`, `B` has `0xb:0` and `11`, and so on. What is not
said has the default of DESIGN 7, but for `follow_ratio`, which is 1, so that a want is what the target holds.

    the target      want 100 · want 50..100 (50 listed now, 100 one poll ago) · target 50 · target unlisted
                    polls 100 - 80 (earlier polls, oldest first; - is not listed) · target price 0.5 · target avg 0.5
    what is held    hold 80 · hold 60..80 (the feed says 60, 20 bought are on their way)
                    hold 60..80 by sales (the feed says 80, 20 sold are on their way) · price 0.5 · avg 0.5
                    feed 60 · ledger 60+20-0 age 10 · seen 60 · unsettled · not ours · witness 80
    the market      book 0.61/0.63 · book -/0.63 · tick 0.01 · no tick · min 5 · last 0.6 · no id · id 012
                    key 0x…:1 · redeemable · target redeemable
    orders          live BUY 20 @ 0.61 age 30 #aa · matched 5 (of the order before) · doubt … · gone … · foreign …
                    on hold for 10
    limits          spend 100 · spent 60 · loss 50 · lost 20 · from 0.1 · to 0.9 · hours 24 · ends 2025-12-18
                    title Will it rain? · target title … · slug … · allow rain · deny rain (again and again)
    everything      cash 100 · safe · stopped · orders unread · taker · copied · blacklisted · and the settings by short
                    names (deadband 3, slice 5..25, ttl 90, cap 500, total 2000, guard 0.1, grow 1, shrink 2, settle 9)

What is done: `cancel aa EXPIRED; BUY 20 @ 0.61`, or `nothing: IN_BAND`. The reason is left out where it is QUOTED (or
REQUOTED after a cancel); `taking` stands behind an order that is not post-only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from attrs import define, evolve, field

from copytrade.domain.model import (
    Book,
    Cancel,
    Decision,
    Ledger,
    Order,
    Plan,
    Position,
    Positions,
    Reason,
    Side,
    Snapshot,
    Today,
)
from copytrade.domain.plan import plan
from copytrade.domain.policy import Policy

NOW = Decimal(1766000000)


def key_of(name: str) -> str:
    return f"0x{name.lower()}:0"


def id_of(name: str) -> str:
    return str(ord(name) - ord("A") + 10)


def plain(number: Decimal) -> str:
    """A number as a person writes it: no exponent, no zeros at the end."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@define
class _Token:
    name: str
    token_id: str | None
    token_key: str
    target: dict[str, Any] | None = None
    polls: list[str] = field(factory=list)
    mine: dict[str, Any] | None = None
    ledger: dict[str, Any] | None = None
    witness: Decimal | None = None
    book: dict[str, Any] | None = None
    orders: list[tuple[str, Order]] = field(factory=list)
    hold: Decimal | None = None

    def targeted(self, **facts: Any) -> None:
        self.target = {"size": Decimal(0), **(self.target or {}), **facts}

    def held(self, **facts: Any) -> None:
        self.mine = {"size": Decimal(0), **(self.mine or {}), **facts}

    def booked(self, **facts: Any) -> None:
        self.book = {"tick_size": Decimal("0.01"), **(self.book or {}), **facts}

    def kept(self, **facts: Any) -> None:
        self.ledger = {"base": Decimal(0), **(self.ledger or {}), **facts}

    def position(self, facts: dict[str, Any]) -> Position:
        return Position(
            token_key=self.token_key, condition_id=self.token_key[:-2], outcome_index=0, token_id=self.token_id, **facts
        )


@define
class _World:
    tokens: dict[str, _Token] = field(factory=dict)
    settings: dict[str, Any] = field(factory=lambda: {"follow_ratio": Decimal(1)})
    facts: dict[str, Any] = field(factory=dict)
    blacklist: set[str] = field(factory=set)


def snapshot(text: str) -> Snapshot:
    """The facts that the line tells."""
    world = _World()
    for part in text.split("|"):
        named = re.match(r"\s*([A-Z]): ", part)
        name, clauses = (named[1], part[named.end() :]) if named else ("A", part)
        token = world.tokens.setdefault(name, _Token(name=name, token_id=id_of(name), token_key=key_of(name)))
        for clause in filter(None, (clause.strip() for clause in clauses.split(","))):
            _say(world, token, clause)
    tokens = list(world.tokens.values())
    policy = Policy(**world.settings, blacklist_token_keys=frozenset(world.blacklist))

    def orders(kind: str) -> dict[str, tuple[Order, ...]]:
        found = {
            token.token_id or id_of(token.name): tuple(order for of_kind, order in token.orders if of_kind == kind)
            for token in tokens
        }
        return {token_id: of_it for token_id, of_it in found.items() if of_it}

    target = [token.position(token.target) for token in tokens if token.target is not None]
    mine = [token.position(token.mine) for token in tokens if token.mine is not None]
    depth = max(len(token.polls) for token in tokens)
    history = tuple(
        {token.token_key: Decimal(token.polls[i]) for token in tokens if len(token.polls) > i and token.polls[i] != "-"}
        for i in range(depth)
    )
    whole = not world.facts.pop("safe", False)
    return Snapshot(
        now=NOW,
        policy=policy,
        target=Positions(ok=whole, positions=tuple(target)),
        mine=Positions(positions=tuple(mine)),
        token_map={token.token_key: token.token_id for token in tokens if token.token_id is not None},
        books={token.token_id: Book(**token.book) for token in tokens if token.book is not None and token.token_id},
        open_orders=orders("live"),
        in_doubt=orders("doubt"),
        foreign_orders=orders("foreign"),
        ledgers={token.token_key: Ledger(**token.ledger) for token in tokens if token.ledger is not None},
        witnesses={token.token_key: token.witness for token in tokens if token.witness is not None},
        target_history=history,
        holds={token.token_key: token.hold for token in tokens if token.hold is not None},
        **world.facts,
    )


def outcome(text: str) -> str:
    """What `plan` does about the world of this line, token by token."""
    decided = plan(snapshot(text))
    if len(decided.decisions) == 1:
        return done(decided, decided.decisions[0])
    return " | ".join(f"{name_of(decision)} {done(decided, decision)}" for decision in decided.decisions)


def decision(text: str) -> Decision:
    """The only decision about the world of this line."""
    (only,) = plan(snapshot(text)).decisions
    return only


def name_of(decision: Decision) -> str:
    return decision.token_key[2:-2].upper() if decision.token_key else f"id {decision.token_id}"


def wanted(text: str) -> str:
    """`50..100`, or `50` where both ends are the same; token by token where there are several."""
    return _each(text, lambda decision: _span(decision.want_lo, decision.want_hi))


def held(text: str) -> str:
    """`60..80`, or `80` where both ends are the same; a warning is a ` !` behind it."""
    return _each(text, lambda decision: _span(decision.lo, decision.hi) + " !" * bool(decision.warning))


def _each(text: str, say: Callable[[Decision], str]) -> str:
    decisions = plan(snapshot(text)).decisions
    if len(decisions) == 1:
        return say(decisions[0])
    return " | ".join(f"{name_of(decision)} {say(decision)}" for decision in decisions)


def _span(lo: Decimal, hi: Decimal) -> str:
    return plain(lo) if lo == hi else f"{plain(lo)}..{plain(hi)}"


def done(decided: Plan, decision: Decision) -> str:
    """The actions of one token and the reason, if that says more than the actions do."""
    said, usual = [], Reason.QUOTED
    for action in decided.actions:
        if (action.token_key, action.token_id) != (decision.token_key, decision.token_id):
            continue
        if isinstance(action, Cancel):
            said.append(f"cancel {action.order_id} {action.reason.value}")
            usual = Reason.REQUOTED
        else:
            taking = "" if action.post_only else " taking"
            said.append(f"{action.side.value} {plain(action.size)} @ {plain(action.price)}{taking}")
    places = any(action.token_key == decision.token_key for action in decided.places)
    text = "; ".join(said) or "nothing"
    return text if places and decision.reason is usual else f"{text}: {decision.reason.value}"


_CLAUSES: list[tuple[str, Callable[..., None]]] = []


def _clause(pattern: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    full = pattern.replace("N", r"(-?[0-9]+(?:\.[0-9]+)?)")

    def known(say: Callable[..., None]) -> Callable[..., None]:
        _CLAUSES.append((full, say))
        return say

    return known


def _say(world: _World, token: _Token, clause: str) -> None:
    for pattern, say in _CLAUSES:
        if found := re.fullmatch(pattern, clause):
            say(world, token, *found.groups())
            return
    raise AssertionError(f"the notation has no clause {clause!r}")


_SETTINGS = {
    "ratio": "follow_ratio",
    "deadband": "deadband_shares",
    "ttl": "order_ttl_sec",
    "cap": "max_notional_per_token",
    "total": "max_notional_total",
    "guard": "max_price_deviation",
    "settle": "settle_timeout_sec",
    "default tick": "tick_size",
    "grow": "polls_to_grow",
    "shrink": "polls_to_shrink",
    "spend": "max_daily_spend",
    "loss": "max_daily_loss",
    "from": "min_open_price",
    "to": "max_open_price",
    "hours": "min_hours_to_end",
}


@_clause(f"({'|'.join(_SETTINGS)}) N")
def _setting(world: _World, _: _Token, name: str, value: str) -> None:
    world.settings[_SETTINGS[name]] = int(value) if name in ("grow", "shrink") else Decimal(value)


@_clause(r"slice N\.\.N")
def _slice(world: _World, _: _Token, least: str, most: str) -> None:
    world.settings |= {"slice_min": Decimal(least), "slice_max": Decimal(most)}


@_clause("(allow|deny) (.+)")
def _market_words(world: _World, _: _Token, which: str, words: str) -> None:
    name = f"{which}_markets"
    world.settings[name] = {*world.settings.get(name, ()), words}


@_clause("(spent|lost) N")
def _today(world: _World, _: _Token, what: str, amount: str) -> None:
    change = {"spent": Decimal(amount)} if what == "spent" else {"result": -Decimal(amount)}
    world.facts["today"] = evolve(world.facts.get("today", Today()), **change)


@_clause("(target )?(title|slug|ends) (.+)")
def _texts(_: _World, token: _Token, target: str | None, what: str, text: str) -> None:
    facts = {"end_date" if what == "ends" else what: text}
    token.targeted(**facts) if target else token.held(**facts)


@_clause("(taker|copied|blacklisted|safe|stopped|orders unread)")
def _switch(world: _World, token: _Token, what: str) -> None:
    match what:
        case "taker":
            world.settings["maker_only"] = False
        case "copied":
            world.settings["manage_holdings"] = "copied"
        case "blacklisted":
            world.blacklist.add(token.token_key)
        case "safe":
            world.facts["safe"] = True
        case "stopped":
            world.facts["stopped"] = True
        case _:
            world.facts["orders_ok"] = False


@_clause("cash N")
def _cash(world: _World, _: _Token, amount: str) -> None:
    world.facts["cash"] = Decimal(amount)


@_clause("(?:want|target) N")
def _want(_: _World, token: _Token, size: str) -> None:
    token.targeted(size=Decimal(size))


@_clause(r"want N\.\.N")
def _want_between(_: _World, token: _Token, now: str, before: str) -> None:
    token.targeted(size=Decimal(now))
    token.polls = [before]


@_clause("target unlisted")
def _unlisted(_: _World, token: _Token) -> None:
    token.target = None


@_clause("polls ([-0-9. ]+)")
def _polls(_: _World, token: _Token, sizes: str) -> None:
    token.polls = sizes.split()


@_clause("(target )?(price|avg) N")
def _price(_: _World, token: _Token, target: str | None, what: str, price: str) -> None:
    facts = {"current_price" if what == "price" else "avg_price": Decimal(price)}
    token.targeted(**facts) if target else token.held(**facts)


@_clause("(target )?redeemable")
def _redeemable(_: _World, token: _Token, target: str | None) -> None:
    token.targeted(redeemable=True) if target else token.held(redeemable=True)


@_clause("(?:hold|feed) N")
def _hold(_: _World, token: _Token, size: str) -> None:
    token.held(size=Decimal(size))


@_clause(r"hold N\.\.N")
def _on_its_way(_: _World, token: _Token, lo: str, hi: str) -> None:
    token.held(size=Decimal(lo))
    token.kept(base=Decimal(lo), bought=Decimal(hi) - Decimal(lo), moved_at=NOW)


@_clause(r"hold N\.\.N by sales")
def _on_its_way_down(_: _World, token: _Token, lo: str, hi: str) -> None:
    token.held(size=Decimal(hi))
    token.kept(base=Decimal(hi), sold=Decimal(hi) - Decimal(lo), moved_at=NOW)


@_clause(r"ledger N(?:\+N)?(?:-([0-9]+(?:\.[0-9]+)?))?(?: age N)?")
def _ledger(_: _World, token: _Token, base: str, bought: str | None, sold: str | None, age: str | None) -> None:
    facts = {"base": Decimal(base), "bought": Decimal(bought or 0), "sold": Decimal(sold or 0)}
    token.kept(**facts, **({"moved_at": NOW - Decimal(age)} if age else {}))


@_clause("seen N")
def _seen(_: _World, token: _Token, size: str) -> None:
    token.kept(seen=Decimal(size))


@_clause("paid N")
def _paid(_: _World, token: _Token, price: str) -> None:
    token.kept(avg_price=Decimal(price))


@_clause("unsettled")
def _unsettled(_: _World, token: _Token) -> None:
    token.kept(final=False)


@_clause("not ours")
def _not_ours(_: _World, token: _Token) -> None:
    token.kept(ours=False)


@_clause("witness N")
def _witness(_: _World, token: _Token, size: str) -> None:
    token.witness = Decimal(size)


@_clause("no id")
def _no_id(_: _World, token: _Token) -> None:
    token.token_id = None


@_clause("key (.+)")
def _key(_: _World, token: _Token, token_key: str) -> None:
    token.token_key = token_key


@_clause("id (.+)")
def _id(_: _World, token: _Token, token_id: str) -> None:
    token.token_id = token_id


@_clause("book (-|[0-9.]+)/(-|[0-9.]+)")
def _book(_: _World, token: _Token, bid: str, ask: str) -> None:
    token.booked(best_bid=None if bid == "-" else Decimal(bid), best_ask=None if ask == "-" else Decimal(ask))


@_clause("(no tick|tick|min|last)(?: N)?")
def _market(_: _World, token: _Token, what: str, value: str | None) -> None:
    names = {"no tick": "tick_size", "tick": "tick_size", "min": "min_order_size", "last": "last_trade_price"}
    token.booked(**{names[what]: None if value is None else Decimal(value)})


@_clause("(live|doubt|gone|foreign) (BUY|SELL) N @ N(?: age N)?(?: #(.+))?")
def _order(
    _: _World, token: _Token, kind: str, side: str, size: str, price: str, age: str | None, name: str | None
) -> None:
    order = Order(
        order_id=name or kind,
        side=Side(side),
        price=Decimal(price),
        size=Decimal(size),
        ts=NOW - Decimal(age or 0),
        gone=kind == "gone",
    )
    token.orders.append(("doubt" if kind == "gone" else kind, order))


@_clause("matched N")
def _matched(_: _World, token: _Token, size: str) -> None:
    kind, order = token.orders.pop()
    token.orders.append((kind, evolve(order, matched=Decimal(size))))


@_clause("on hold for N")
def _on_hold(_: _World, token: _Token, seconds: str) -> None:
    token.hold = NOW + Decimal(seconds)
