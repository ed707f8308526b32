"""Why a token was, or was not, traded in one cycle: want, hold, gap, the rule that decided, and what came of it.

Pure: a snapshot (and the results and warnings of its cycle) in, sentences out. Cycles that say the same are folded into
one, so that a day of waiting is one paragraph.

Not here: the sentence of each reason (sentences.py), where the cycles come from (cli/explain.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal, localcontext
from difflib import SequenceMatcher

from attrs import evolve, frozen

from copytrade.app.outcomes import OwnFill, Result
from copytrade.app.sentences import cancel_sentence, interval, number, order_words, reason_sentence
from copytrade.app.writing import plain
from copytrade.domain.amounts import EXACT, equal
from copytrade.domain.desired import poll_of, polls_to_shrink
from copytrade.domain.model import Cancel, Place, Reason, Side, Snapshot, TokenKey
from copytrade.domain.plan import Considered, considered

NEAREST = 5  # tokens that are named where none fits


@frozen(kw_only=True)
class Explanation:
    """One token in one cycle, or in several that say the same; then the numbers are those of the last of them."""

    reason: Reason | None  # None: neither he nor we had anything to do with the token
    since: Decimal
    until: Decimal
    cycles: int = 1
    sentences: tuple[str, ...] = ()
    happened: bool = False  # something was sent, or filled: never folded


def explain(
    snapshot: Snapshot,
    token_key: TokenKey,
    results: Collection[Result] = (),
    fills: Collection[OwnFill] = (),
    warnings: Collection[str] = (),
) -> Explanation:
    """Explain what `plan` decides about this token on this snapshot."""
    with localcontext(EXACT):
        one = next((each for each in considered(snapshot) if each.token.token_key == token_key), None)
        if one is None:
            words = ("neither the leader nor we hold it, and no order of ours is there",)
            return Explanation(reason=None, since=snapshot.now, until=snapshot.now, sentences=words)
        ours = [fill for fill in fills if fill.token_key == token_key]
        sentences = [
            *_fills(ours),
            _want(one, snapshot),
            _hold(one, snapshot),
            _gap(one, snapshot),
            f"{one.reason.value}: {reason_sentence(one, snapshot)}",
            *_actions(one, snapshot, results),
            *(f"warning: {words}" for words in warnings if words.startswith(token_key)),
        ]
    return Explanation(
        reason=one.reason,
        since=snapshot.now,
        until=snapshot.now,
        sentences=tuple(sentences),
        happened=bool(one.actions or ours),
    )


def folded(newest_first: Iterable[Explanation]) -> Iterator[Explanation]:
    """Neighbours in which nothing happened, for the same reason, become one."""
    last: Explanation | None = None
    for one in newest_first:
        if last is not None and last.reason is one.reason and not (last.happened or one.happened):
            last = evolve(last, since=one.since, cycles=last.cycles + one.cycles)
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last


# -- which token is meant ---------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Names:
    """The tokens that one may ask for, with their titles and slugs."""

    titles: Mapping[TokenKey, str]
    slugs: Mapping[TokenKey, str]

    @classmethod
    def of(cls, newest_first: Iterable[Snapshot]) -> Names:
        """The tokens of these snapshots: one that was sold has its title in an older one only."""
        titles: dict[TokenKey, str] = {}
        slugs: dict[TokenKey, str] = {}
        for snapshot in newest_first:
            for row in (*snapshot.mine.positions, *snapshot.target.positions):
                titles[row.token_key] = titles.get(row.token_key) or row.title
                slugs[row.token_key] = slugs.get(row.token_key) or row.slug
            for key in (*snapshot.token_map, *snapshot.ledgers):
                titles.setdefault(key, "")
        return cls(titles={key: titles[key] for key in sorted(titles)}, slugs=slugs)

    def find(self, asked: str) -> list[TokenKey]:
        """The token with this key; else those whose key begins so; else those whose title or slug has it in it."""
        text = asked.lower().strip()
        if text in self.titles:
            return [text]
        if not text:
            return []
        return [key for key in self.titles if key.startswith(text)] or [
            key
            for key, title in self.titles.items()
            if text in title.lower() or text in self.slugs.get(key, "").lower()
        ]

    def nearest(self, asked: str) -> list[TokenKey]:
        """Tokens whose key or title is most like it, for somebody who has mistyped."""
        text = asked.lower()

        def likeness(key: TokenKey) -> float:
            return max(SequenceMatcher(None, text, words.lower()).ratio() for words in (key, self.titles[key]))

        return sorted(self.titles, key=likeness, reverse=True)[:NEAREST]


# -- sentences --------------------------------------------------------------------------------------------------------


def _fills(fills: Collection[OwnFill]) -> Iterator[str]:
    for fill in fills:
        verb = "bought" if fill.side is Side.BUY else "sold"
        if fill.shares < 0:
            yield f"a trade failed: {number(-fill.shares)} @ {plain(fill.price)} are taken back"
        else:
            yield f"learned that we {verb} {number(fill.shares)} @ {plain(fill.price)}"


def _want(one: Considered, snapshot: Snapshot) -> str:
    token, policy, key = one.token, snapshot.policy, one.token.token_key or ""
    latest = poll_of(snapshot.target)
    his = latest.get(key, Decimal(0))
    words = f"want {interval(token.want_lo, token.want_hi)}"
    if not snapshot.target.complete:
        return f"{words}, as far as the target's positions are known"
    words += f" ({number(policy.follow_ratio)} × {number(his)})"
    if token.uncapped_lo != token.uncapped_hi:
        polls = [number(poll.get(key, Decimal(0))) for poll in (*snapshot.target_history, latest)]
        remembered = snapshot.target_history[-policy.polls_remembered :]
        need = polls_to_shrink(latest, remembered, policy)
        words += f": his size was {', '.join(polls)} in the last polls, and {need} must agree on a decrease"
    if (token.want_lo, token.want_hi) != (token.uncapped_lo, token.uncapped_hi):
        words += f"; uncapped it would be {interval(token.uncapped_lo, token.uncapped_hi)}"
    return words


def _hold(one: Considered, snapshot: Snapshot) -> str:
    token, ledger = one.token, snapshot.ledgers.get(one.token.token_key or "")
    words = f"hold {interval(token.lo, token.hi)}"
    if not snapshot.mine.complete:
        return f"{words}, as far as my positions are known"
    why = []
    if ledger is not None and ledger.told and token.lo != token.hi:
        most = f"{number(token.hi)} may be there by what was told since the start on a lost state"
        why.append(f"the feed says {number(token.reported)}, and {most}")
    elif ledger is not None and (ledger.bought or ledger.sold) and token.lo != token.hi:
        moved = [
            f"{number(shares)} {verb}" for shares, verb in ((ledger.bought, "bought"), (ledger.sold, "sold")) if shares
        ]
        why.append(
            f"the feed says {number(token.reported)}, and does not show all of our fills yet ({', '.join(moved)})"
        )
    elif ledger is not None and not token.warning and not equal(token.reported, ledger.believed):
        # No fill of ours accounts for it: a feed that flips, or somebody else's trade.
        why.append(f"the feed says {number(token.reported)}, last known are {number(ledger.believed)}")
    why += [f"{order_words(order)} in doubt may have filled" for order in token.doubts]
    if token.warning:
        why.append(token.warning)
    return f"{words}: {'; '.join(why)}" if why else words


def _gap(one: Considered, snapshot: Snapshot) -> str:
    gap, band = one.token.delta, snapshot.policy.deadband_shares
    side = "missing" if gap > 0 else "too many"
    if abs(gap) > band:
        return f"gap {number(gap)}: {number(abs(gap))} are certainly {side}, more than the deadband of {number(band)}"
    return f"gap {number(gap)}, deadband {number(band)}"


def _actions(one: Considered, snapshot: Snapshot, results: Collection[Result]) -> Iterator[str]:
    orders = {order.order_id: order for order in one.token.live}
    cancels = {result.order_id: result for result in results if result.action == "cancel"}
    place = next((each for each in results if each.action == "place" and each.token_id == one.token.token_id), None)
    for action in one.actions:
        match action:
            case Cancel():
                words = cancel_sentence(action.reason, orders[action.order_id], one, snapshot)
                yield f"{words}{_came_of(cancels.get(action.order_id))}"
            case Place():
                yield f"{action.side.value} {number(action.size)} @ {plain(action.price)}{_came_of(place)}"


def _came_of(result: Result | None) -> str:
    if result is None:
        return ""
    return f" → {result.outcome}" + (f": {result.words}" if result.words else "")
