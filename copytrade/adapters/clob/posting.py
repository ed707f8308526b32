"""What an answer to a batch of orders, or of cancels, says of each of them. Pure: bytes in, one record for each out.

Rule 1: ACCEPTED and REFUSED need proof; everything else is UNKNOWN and gets looked up by its id. Proof of acceptance is
        our own order id without a reason against it. Proof of a refusal is a reason that is a definite no
        (refusals.py); `success` alone proves neither, since a refused leg comes back with `success: true`.
Rule 2: leg by leg. One that makes no sense leaves its own order UNKNOWN and no other.
Rule 3: the answers stand in the order of the question. Where they do not (another number of legs, or one of our ids in
        another's place) they are told by the order id that they name, and what names none stays UNKNOWN.
Rule 4: a cancel is confirmed by the exchange's list of cancelled ids, or by words that mean "gone already"; then it may
        have matched more than we knew. "Not found" alone proves nothing: a young order may only be late.
Rule 5: nothing raises, whatever the bytes are.

Source: API.md "Orders"; recorded/http_order_response_*.json, recorded/http_*cancel_response*.json; polymarket-client's
order_response.py; issue threads for the empty key in `not_canceled`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from decimal import Decimal

from attrs import frozen

from copytrade.adapters.clob.decoding import Row, amount, private
from copytrade.adapters.clob.refusals import leaves_doubt, refusal_of, says_no
from copytrade.adapters.redaction import redact
from copytrade.app.ports import CancelAnswer, PostAnswer, PostFate, Refusal, SignedOrder
from copytrade.domain.model import CENT_SHARE, OrderId, Side
from copytrade.errors import BadAnswer

_MOST_WORDS = 300  # characters of a reason that are kept
_REDACTED = 1 << 16  # bytes of an answer that are searched for secrets before it is cut
_ORDER_ID = re.compile(r"0x[0-9a-f]{64}")
_GONE = re.compile(r"already (been )?(canceled|cancelled|matched|filled|expired)|\bis (matched|filled)|^matched$")
_NOT_FOUND = re.compile(r"not found|n't be found|does not exist|unknown order")
_MILLION = Decimal(1_000_000)


@frozen(kw_only=True)
class Posted:
    """What became of a batch. `stop` says why whatever was not sent yet should not be sent either."""

    answers: tuple[PostAnswer, ...]
    stop: Refusal | None = None


# -- orders -----------------------------------------------------------------------------------------------------------


def posted(batch: Sequence[SignedOrder], status: int, body: bytes) -> Posted:
    """Read the answer to `POST /orders`."""
    value = _read(body)
    if not 200 <= status < 300:
        words = reason(value) or f"status {status}{_excerpt(body)}"
        if says_no(status, words):
            refusal = refusal_of(words, status=status)
            stop = Refusal.ACCOUNT if status == 401 else _stop({refusal})
            return Posted(answers=_all_refused(batch, words, refusal), stop=stop)
        return Posted(answers=in_doubt(batch, words), stop=Refusal.BUSY if status >= 500 else None)
    if isinstance(value, list):
        answers = tuple(_leg(order, leg) for order, leg in zip(batch, _in_place(batch, value), strict=True))
        # A ban, or a mode of the exchange, is told leg by leg in a batch; it holds for the next batch as well.
        return Posted(answers=answers, stop=_stop({answer.refusal for answer in answers}))
    words = reason(value)
    if isinstance(value, dict) and not _id(value) and words and not leaves_doubt(words):
        refusal = refusal_of(words)
        return Posted(answers=_all_refused(batch, words, refusal), stop=_stop({refusal}))
    if isinstance(value, dict) and len(batch) == 1:
        return Posted(answers=(_leg(batch[0], value),))
    return Posted(answers=in_doubt(batch, words or f"an answer that makes no sense{_excerpt(body)}"))


def _stop(refusals: Collection[Refusal | None]) -> Refusal | None:
    """What of these holds for every order that could still be sent."""
    return next((each for each in (Refusal.ACCOUNT, Refusal.CLIENT, Refusal.BUSY) if each in refusals), None)


def in_doubt(batch: Sequence[SignedOrder], words: str) -> tuple[PostAnswer, ...]:
    """Nobody knows: each of them has to be looked up."""
    return tuple(_unknown(order, words) for order in batch)


def not_sent(batch: Sequence[SignedOrder], refusal: Refusal, words: str) -> tuple[PostAnswer, ...]:
    """Not even asked for, so certainly not there."""
    return tuple(
        PostAnswer(order_id=order.order_id, fate=PostFate.REFUSED, refusal=refusal, words=f"not sent: {words}")
        for order in batch
    )


def _all_refused(batch: Sequence[SignedOrder], words: str, refusal: Refusal) -> tuple[PostAnswer, ...]:
    """The batch was refused whole. Where the words name one order, what they say of it holds for that one alone."""
    named = _named(words)
    ours = named & {order.order_id.lower() for order in batch}
    return tuple(
        _refused(order, words, refusal if not ours or order.order_id.lower() in ours else Refusal.OTHER)
        for order in batch
    )


def _in_place(batch: Sequence[SignedOrder], legs: Sequence[object]) -> list[object]:
    """For each order its leg, or None."""
    wanted = [order.order_id.lower() for order in batch]
    ids = [_id(leg).lower() if isinstance(leg, dict) else "" for leg in legs]
    known = set(wanted)
    if len(ids) == len(wanted) and all(one == want or one not in known for one, want in zip(ids, wanted, strict=True)):
        return list(legs)
    return [legs[ids.index(want)] if ids.count(want) == 1 else None for want in wanted]


def _leg(order: SignedOrder, leg: object) -> PostAnswer:
    """What one leg says of its order."""
    if not isinstance(leg, dict):
        return _unknown(order, "the answer has no leg for it" if leg is None else "a leg that makes no sense")
    words, order_id, success = reason(leg), _id(leg), leg.get("success")
    ours = order_id.lower() == order.order_id.lower()
    if order_id and not ours:
        return _unknown(order, f"answered with another order id{': ' + words if words else ''}")
    if words:
        about = _named(words)
        if about and order.order_id.lower() not in about:
            return _unknown(order, words)  # a reason that is another order's
        if leaves_doubt(words) or (ours and success is not False):
            return _unknown(order, words)
        return _refused(order, words, refusal_of(words))
    if not order_id:
        return _unknown(order, "neither an order id nor a reason")
    if success is False:
        return _unknown(order, "no success, and no reason")
    return PostAnswer(order_id=order.order_id, fate=PostFate.ACCEPTED, matched=_matched(order, leg))


def _matched(order: SignedOrder, leg: Row) -> Decimal:
    """Shares that were filled at once: what a BUY takes, what a SELL makes.

    0 where nothing is said, or nothing that can be so: the listing will tell. The documentation's own examples have
    millionths, all else that is known has shares; within one order's size the two can't be taken for one another.
    """
    if str(leg.get("status", "")).lower() in ("delayed", "unmatched"):
        return Decimal(0)
    key = "takingAmount" if order.side is Side.BUY else "makingAmount"
    try:
        shares = amount(leg.get(key), key)
    except BadAnswer:
        return Decimal(0)
    most = order.size + CENT_SHARE  # a cent of rounding
    if shares > most:
        shares /= _MILLION
    return min(shares, order.size) if shares <= most else Decimal(0)


# -- cancels ----------------------------------------------------------------------------------------------------------


def cancelled(
    order_ids: Sequence[OrderId], status: int, body: bytes, *, young: Collection[OrderId] = ()
) -> tuple[CancelAnswer, ...]:
    """Read the answer to `DELETE /orders`. `young` are orders that may only be on their way yet: see Rule 4."""
    value = _read(body)
    if not 200 <= status < 300:
        return not_confirmed(order_ids, reason(value) or f"status {status}{_excerpt(body)}")
    if not isinstance(value, dict):
        return not_confirmed(order_ids, f"an answer that makes no sense{_excerpt(body)}")
    done, left = value.get("canceled"), value.get("not_canceled")
    sure = {one.lower() for one in done if isinstance(one, str)} if isinstance(done, list) else set()
    why = {one.lower(): _words(words) for one, words in left.items()} if isinstance(left, dict) else {}
    if len(order_ids) == 1 and "" in why:
        why.setdefault(order_ids[0].lower(), why[""])  # seen: the reason of a single order under an empty key
    fresh = {one.lower() for one in young}
    return tuple(_cancel(one, sure, why, young=one.lower() in fresh) for one in order_ids)


def not_confirmed(order_ids: Sequence[OrderId], words: str) -> tuple[CancelAnswer, ...]:
    """Nobody knows: each of them may rest still."""
    return tuple(CancelAnswer(order_id=one, confirmed=False, words=_short(words)) for one in order_ids)


def _cancel(order_id: OrderId, sure: set[str], why: dict[str, str], *, young: bool) -> CancelAnswer:
    words = why.get(order_id.lower())
    if words is None:
        known = order_id.lower() in sure
        return CancelAnswer(order_id=order_id, confirmed=known, words="" if known else "the answer does not name it")
    lower = words.lower()
    gone = _GONE.search(lower) is not None and not (young and _NOT_FOUND.search(lower))
    return CancelAnswer(order_id=order_id, confirmed=gone, matched=gone, words=_short(words))


# -- both -------------------------------------------------------------------------------------------------------------


def reason(value: object) -> str:
    """The exchange's own reason in an answer or a leg, "" where there is none. Secrets are taken out."""
    if not isinstance(value, dict):
        return ""
    return next((words for key in ("errorMsg", "error", "message") if (words := _words(value.get(key)))), "")


def _words(value: object) -> str:
    if isinstance(value, dict):
        return reason(value)
    return _short(value) if isinstance(value, str) else ""


def _short(words: str) -> str:
    return redact(" ".join(words.split()))[:_MOST_WORDS]


def _excerpt(body: bytes) -> str:
    """The beginning of an answer that has no reason in it. Only words of a page: never an answer in JSON."""
    shown = _short(body[:_REDACTED].decode("utf-8", "replace"))
    return "" if not shown or shown[0] in "[{" else f": {shown[:80]}"


def _id(leg: Row) -> str:
    value = leg.get("orderID", leg.get("orderId"))
    return value if isinstance(value, str) else ""


def _named(words: str) -> set[str]:
    return set(_ORDER_ID.findall(words.lower()))


def _read(body: bytes) -> object:
    try:
        return private(body)
    except BadAnswer:
        return None


def _refused(order: SignedOrder, words: str, refusal: Refusal) -> PostAnswer:
    return PostAnswer(order_id=order.order_id, fate=PostFate.REFUSED, refusal=refusal, words=words)


def _unknown(order: SignedOrder, words: str) -> PostAnswer:
    return PostAnswer(order_id=order.order_id, fate=PostFate.UNKNOWN, words=_short(words))
