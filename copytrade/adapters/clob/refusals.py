"""What the exchange's words mean: why it refused, and which words are no refusal at all.

Rule 1: only words that say a definite no are a refusal. Some answers look like one (HTTP 400, or `success: false`) and
        are not: an order that is *delayed* may still match, a *duplicated* one proves that the first has arrived, and a
        fault inside the exchange proves nothing. `leaves_doubt` knows them; such an order is looked up.
Rule 2: the other way round, a 503 that says "cancel-only", "post-only mode" or "Trading is currently disabled" is the
        exchange's own definite no, whatever its number. Any other 5xx proves nothing (`says_no`).
Rule 3: ACCOUNT and CLIENT stop the run, so nothing that concerns one market alone may be read as one of them. That is
        why "Invalid order payload" (also the answer to one odd value) is OTHER.

The table is read from the top, the first row that fits is taken; words are compared in lower case.
Source: API.md "Orders" (errors); the exchange's page of error codes; py-clob-client-v2, polymarket-client and the
issue threads of both, for the variants that no page lists.
"""

from __future__ import annotations

import re

from copytrade.app.ports import Refusal

# (what the words say, as a pattern; what follows from it)
_TABLE: tuple[tuple[str, Refusal], ...] = (
    # -- this client signs orders that are not taken any more
    (r"order[ _]version[ _]mismatch", Refusal.CLIENT),
    (r"invalid order version", Refusal.CLIENT),  # "…, please use the latest clob-client"
    # -- this account: nothing that it posts will be taken. Bans and regions first …
    (r"\bbanned\b", Refusal.ACCOUNT),  # "'0x…' address banned"
    (r"clos(e|ed)[ -]only", Refusal.ACCOUNT),  # "'0x…' address in closed only mode"
    (r"restricted in your region|available regions|geo-?block", Refusal.ACCOUNT),
    (r"unavailable for legal reasons", Refusal.ACCOUNT),
    # … then a key, a wallet and a signature type that do not belong together.
    (r"maker address not allowed", Refusal.ACCOUNT),  # "…, please use the deposit wallet flow"
    (r"signer address has to be the address of the api key", Refusal.ACCOUNT),
    (r"owner has to be the owner of the api key", Refusal.ACCOUNT),
    (r"invalid signer", Refusal.ACCOUNT),
    # The exchange contract is chosen by the id's shape and the book's neg_risk, so it is not that: it is the wallet.
    (r"invalid signature|signature (is )?invalid", Refusal.ACCOUNT),
    (r"error resolving address", Refusal.ACCOUNT),  # a wallet that the exchange has never seen
    (r"invalid signature_?type", Refusal.ACCOUNT),
    (r"unauthorized|invalid api key|invalid l[12] request headers|invalid authorization", Refusal.ACCOUNT),
    # -- the exchange is busy, or takes nothing just now
    (r"too many requests|rate.?limit", Refusal.BUSY),
    (r"cancel-only|post-only mode|trading is currently disabled", Refusal.BUSY),
    (r"engine is restarting|too early|under maintenance", Refusal.BUSY),
    # -- the money, or the exchange's stale picture of it
    (r"not enough balance|balance / allowance|insufficient (balance|allowance|funds)", Refusal.BALANCE),
    (r"balance is not enough|allowance is not enough", Refusal.BALANCE),
    # -- the price, which is decided anew in the next cycle
    (r"crosses (the )?book", Refusal.PRICE_MOVED),
    (r"minimum tick size|invalid tick size", Refusal.PRICE_MOVED),
    (r"invalid price|price .*(min|max):", Refusal.PRICE_MOVED),  # "price (0.9995), min: 0.001 - max: 0.999"
    # -- this market takes no orders (yet, or any more)
    (r"not (yet )?ready to process|market[ _]not[ _]ready", Refusal.NOT_TRADABLE),
    (r"market (is |has been )?(not active|closed|resolved|paused|halted|not found)", Refusal.NOT_TRADABLE),
    (r"(not|n't) accept(ing)? (new )?orders", Refusal.NOT_TRADABLE),
    (r"no orderbook exists|order ?book .*(does not|doesn't) exist|order ?book (is )?disabled", Refusal.NOT_TRADABLE),
    (r"invalid (token|asset|market)\b", Refusal.NOT_TRADABLE),  # "Invalid token id"
)
_ROWS = tuple((re.compile(pattern), refusal) for pattern, refusal in _TABLE)

_DOUBTFUL = re.compile(
    "|".join(
        (
            r"duplicated",  # the very same order was posted before: the first has arrived
            r"match delayed|order delayed|delaying the order",  # accepted, or half of it, and matched later
            r"could not insert order|could not run the execution",  # a fault inside, and nobody says how far it got
            r"context canceled|context deadline|internal server error|timed? ?out",  # sent as 400 now and then
        )
    )
)
_DEFINITE_5XX = re.compile(r"cancel-only|post-only mode|trading is currently disabled")


def refusal_of(words: str, *, status: int = 200) -> Refusal:
    """Why an order was refused, by the exchange's words, or by the status of the answer where these say nothing.

    >>> refusal_of("invalid post-only order: order crosses book").name
    'PRICE_MOVED'
    >>> refusal_of("something new").name, refusal_of("", status=429).name
    ('OTHER', 'BUSY')
    """
    if status in (425, 429):
        return Refusal.BUSY
    lower = words.lower()
    for pattern, refusal in _ROWS:
        if pattern.search(lower):
            return refusal
    return Refusal.ACCOUNT if status in (401, 451) else Refusal.OTHER


def leaves_doubt(words: str) -> bool:
    """Words that come like a refusal and prove none: the order may be there, or get there. See Rule 1.

    >>> leaves_doubt("order 0xaa is invalid. Duplicated."), leaves_doubt("not enough balance / allowance")
    (True, False)
    """
    return _DOUBTFUL.search(words.lower()) is not None


def says_no(status: int, words: str) -> bool:
    """Was a request with this answer (not a 2xx) certainly not carried out? False: nothing is proved.

    >>> says_no(400, "invalid expiration"), says_no(502, ""), says_no(400, "context canceled")
    (True, False, False)
    >>> says_no(503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.")
    True
    """
    if leaves_doubt(words):
        return False
    if 400 <= status < 500:
        return status != 408
    return status == 503 and _DEFINITE_5XX.search(words.lower()) is not None
