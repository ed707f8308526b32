"""Which token id belongs to a token key, and whether it may be signed for.

A wrong id buys the wrong outcome, an id of the wrong kind is signed for the wrong exchange. So nobody is believed
alone: Gamma (or, where Gamma has nothing, the CLOB) says which ids a market has, the shape of an id says which
protocol it is of, and a CTF id is computed and compared. What does not agree is refused, in words.

    version "v1", or none    => the CTF id of clobTokenIds, which is what the outcome computes to
    version "v2"             => the position id of positionIds, whose last byte is the outcome
    any other version        => refused
    an id of the other shape => refused: a mirror of a migrated market, or worse
    the other collateral     => refused: negRisk and the id contradict each other
    the feed has another id  => refused

Open markets are asked for first, in batches; then, among the closed, those that are missing; then the CLOB, one by one
and only so many. What was found good is remembered for the whole run. A market that nobody knows yet (new ones are
absent for minutes) is in neither part of the answer and asked for again later, but not in every cycle; a refused one
likewise, since the market's own facts may be mended. Combos are never asked for.

Not here: which outcome a row of the feed is of (data_api.py).
Source: API.md "Two kinds of market" and "Gamma", real/pmwallets_copytrade-0.4.1/position-ids.json.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import structlog
from attrs import frozen

from copytrade.adapters.http import Bucket, Http, StatusError, decode
from copytrade.adapters.token_ids import ctf_candidates
from copytrade.app.ports import Resolution
from copytrade.domain.ids import IdKind, is_combo_condition, kind_of
from copytrade.domain.model import Position, TokenId, TokenKey
from copytrade.errors import BadAnswer, VenueError

BUCKETS: Final = (Bucket.window("GET", "/markets", requests=300, seconds=10),)  # Gamma's

_BATCH: Final = 100  # condition ids in one request: 8,100 characters of address, and 8,192 is where servers stop
_SINGLE_READS: Final = 20  # of the CLOB in one call
_SINGLE_AT_ONCE: Final = 5
_ABSENT_SEC: Final = 30.0  # then doubled, up to
_LATER_SEC: Final = 300.0

# 62 digits: a protocol-V2 market may go by the upper 31 bytes of its position ids. (domain/ids.py)
_CONDITION: Final = re.compile(r"0x(?:[0-9a-f]{64}|[0-9a-f]{62})")

_candidates = lru_cache(maxsize=65536)(ctf_candidates)  # pure, and asked for every position in every cycle

log = structlog.get_logger(__name__)


@frozen(kw_only=True)
class Market:
    """What a market says of itself: its ids in the order of its outcomes, and what they are."""

    condition_id: str
    version: str  # "v1", "v2", "" where it does not say, or what it does say
    token_ids: tuple[TokenId, ...]
    neg_risk: bool | None  # None: it does not say
    source: str  # who said so, for people


class MarketResolver:
    """The `Resolver` over Gamma at `gamma`, with the CLOB at `clob` for what Gamma does not have.

    `total_sec` bounds one call; what it did not come to is asked for in the next. `monotonic` gives seconds.
    """

    def __init__(
        self, gamma: Http, clob: Http, *, total_sec: float = 20.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._gamma = gamma
        self._clob = clob
        self._total_sec = total_sec
        self._monotonic = monotonic
        self._markets: dict[str, Market] = {}
        self._not_before: dict[str, float] = {}  # condition ids that were asked for in vain, and when to ask again
        self._patience: dict[str, float] = {}  # how long the latest such wait was

    async def resolve(self, positions: Collection[Position]) -> Resolution:
        """Token ids that may be signed for, and why others may not. Raises nothing; see the port."""
        wanted: dict[TokenKey, Position] = {}
        refused: dict[TokenKey, str] = {}
        for position in positions:
            words = never_asked(position)
            if words:
                refused[position.token_key] = words
            else:
                wanted[position.token_key] = position
        if conditions := self._to_ask(wanted.values()):
            try:
                async with asyncio.timeout(self._total_sec):
                    await self._ask(conditions)
            except TimeoutError:
                log.warning("token ids: not all markets could be asked for in time", seconds=self._total_sec)
        token_ids: dict[TokenKey, TokenId] = {}
        for key, position in wanted.items():
            market = self._markets.get(position.condition_id.lower())
            if market is None:
                continue
            token_id, words = judge(position, market)
            if token_id is not None:
                token_ids[key] = token_id
            else:
                refused[key] = words
        return Resolution(token_ids=token_ids, refused=refused)

    def _to_ask(self, positions: Iterable[Position]) -> list[str]:
        """Condition ids of which there is nothing good yet, and whose time has come; each once."""
        now = self._monotonic()
        conditions: dict[str, None] = {}
        for position in positions:
            condition_id = position.condition_id.lower()
            if self._not_before.get(condition_id, now) > now:
                continue
            market = self._markets.get(condition_id)
            if market is None or judge(position, market)[0] is None:
                conditions[condition_id] = None
        return list(conditions)

    async def _ask(self, conditions: Sequence[str]) -> None:
        """Learn what there is to know of these markets. Raises nothing but what ends the task."""
        batches = [conditions[start : start + _BATCH] for start in range(0, len(conditions), _BATCH)]
        await asyncio.gather(*(self._ask_gamma(batch) for batch in batches))
        # Those that Gamma has just told are waited for too (`_learned`), so what is due still is what is missing.
        now = self._monotonic()
        missing = [condition_id for condition_id in conditions if self._not_before.get(condition_id, now) <= now]
        await self._ask_clob(missing[:_SINGLE_READS])

    async def _ask_gamma(self, batch: Sequence[str]) -> None:
        missing = list(batch)
        for closed in (False, True):
            if not missing:
                return
            params = [("condition_ids", condition_id) for condition_id in missing]
            params += [("limit", str(_BATCH))]  # the default is less than what is asked for
            params += [("closed", "true")] if closed else []
            try:
                found = parse_gamma(await self._gamma.read("GET", "/markets", params=params))
            except VenueError as error:
                log.warning("token ids: gamma gave no usable answer", markets=len(missing), why=str(error))
                return
            for condition_id in missing:
                if condition_id in found:
                    self._learned(found[condition_id])
            missing = [condition_id for condition_id in missing if condition_id not in found]

    async def _ask_clob(self, missing: Sequence[str]) -> None:
        """Ask for each of these, a few at a time; the first failure that is not a plain "no" ends it."""
        for start in range(0, len(missing), _SINGLE_AT_ONCE):
            some = missing[start : start + _SINGLE_AT_ONCE]
            if not all(await asyncio.gather(*(self._ask_clob_one(condition_id) for condition_id in some))):
                return

    async def _ask_clob_one(self, condition_id: str) -> bool:
        """True where there was an answer, be it that there is no such market."""
        try:
            market = parse_clob_market(await self._clob.read("GET", f"/markets/{condition_id}"))
        except StatusError as error:
            if error.status not in (400, 404, 422):
                log.warning("token ids: the clob gave no usable answer", condition_id=condition_id, why=str(error))
                return False
            market = None
        except BadAnswer as error:
            log.warning("token ids: the clob gave no usable answer", condition_id=condition_id, why=str(error))
            market = None
        except VenueError as error:
            log.warning("token ids: the clob gave no usable answer", condition_id=condition_id, why=str(error))
            return False
        if market is not None and market.condition_id == condition_id:
            self._learned(market)
        else:
            self._absent(condition_id)
        return True

    def _learned(self, market: Market) -> None:
        self._markets[market.condition_id] = market
        self._patience.pop(market.condition_id, None)
        # Good ones are never asked for again; this is for those that will be refused.
        self._not_before[market.condition_id] = self._monotonic() + _LATER_SEC

    def _absent(self, condition_id: str) -> None:
        patience = min(self._patience.get(condition_id, _ABSENT_SEC / 2) * 2, _LATER_SEC)
        self._patience[condition_id] = patience
        self._not_before[condition_id] = self._monotonic() + patience


# -- judging ----------------------------------------------------------------------------------------------------------


def never_asked(position: Position) -> str:
    """Why nobody needs to be asked about this position, in words; "" where somebody does."""
    condition_id = position.condition_id.lower()
    if is_combo_condition(condition_id) or (position.token_id and kind_of(position.token_id) is IdKind.COMBO):
        return "a combo, which has no order book"
    if not _CONDITION.fullmatch(condition_id):
        return "its condition id is not one of a market"
    return ""


def judge(position: Position, market: Market) -> tuple[TokenId | None, str]:
    """The token id that may be signed for, or None and why not, in words."""
    index, said = position.outcome_index, market.source
    if not 0 <= index < len(market.token_ids):
        return None, f"outcome {index}, but {said} says that the market has {len(market.token_ids)}"
    token_id = market.token_ids[index]
    words = _shape_fault(token_id, market) or _outcome_fault(position, token_id, market)
    if words:
        return None, words
    if position.token_id is not None and position.token_id != token_id:
        return None, f"the positions feed says token id {position.token_id}, {said} says {token_id}"
    return token_id, ""


def _shape_fault(token_id: TokenId, market: Market) -> str:
    """What is wrong with an id of this shape in a market of this version."""
    kind, said = kind_of(token_id), market.source
    if kind is IdKind.MALFORMED:
        return f"{said} says a token id that is no canonical decimal"
    if kind is IdKind.COMBO:
        return f"{said} says the id of a combo, which has no order book"
    is_position_id = kind is not IdKind.CTF
    match market.version:
        case "v1" if is_position_id:
            return f"{said} says protocol v1, but the id is a V2 position id (the mirror of a migrated market?)"
        case "v2" if not is_position_id:
            return f"{said} says protocol v2, but the id is a CTF token id"
        case "" if is_position_id:
            return f"{said} says no version, and the id is a V2 position id: no telling for which exchange to sign"
        case "v1" | "v2" | "":
            return ""
        case other:
            return f"{said} says version {other!r}, which this program does not know"


def _outcome_fault(position: Position, token_id: TokenId, market: Market) -> str:
    """What proves that an id of the right shape is not the id of this outcome."""
    index, said = position.outcome_index, market.source
    if kind_of(token_id) is not IdKind.CTF:
        number = int(token_id)
        if number & 0xFF != index:
            return f"{said} says an id that is of outcome {number & 0xFF}, not of {index}"
        if len(position.condition_id) == 2 + 62 and number >> 8 != int(position.condition_id, 16):
            return f"{said} says an id that is of another market"
        return ""
    try:
        ordinary, neg_risk = _candidates(position.condition_id, index)
    except ValueError as error:
        return f"its token id can't be computed: {error}"
    if token_id not in (ordinary, neg_risk):
        return f"{said} says token id {token_id}, which is not what this outcome computes to"
    if market.neg_risk is not None and token_id != (neg_risk if market.neg_risk else ordinary):
        is_it, id_of = ("is", "an ordinary") if market.neg_risk else ("is not", "a neg-risk")
        return f"{said} says that the market {is_it} neg-risk, but the id is that of {id_of} one"
    return ""


# -- reading ----------------------------------------------------------------------------------------------------------


def parse_gamma(raw: bytes) -> Mapping[str, Market]:
    """Read one answer of `GET /markets`: markets by condition id. Raises BadAnswer where it is no list.

    A market that is not whole yet (without ids), odd, or listed twice with different facts is left out.
    """
    document = decode(raw)
    if not isinstance(document, list):
        raise BadAnswer("wanted a list of markets")
    found: dict[str, Market] = {}
    torn: set[str] = set()
    for row in document:
        market = _gamma_market(row)
        if market is not None and found.setdefault(market.condition_id, market) != market:
            torn.add(market.condition_id)
    return {condition_id: market for condition_id, market in found.items() if condition_id not in torn}


def _gamma_market(row: object) -> Market | None:
    if not isinstance(row, dict):
        return None
    version = _version(row.get("version"))
    ids = row.get("positionIds") if version == "v2" else row.get("clobTokenIds")
    return _market(row.get("conditionId"), version, ids, row.get("negRisk"), "Gamma")


def parse_clob_market(raw: bytes) -> Market | None:
    """Read one answer of `GET /markets/{condition_id}`; None where it is not whole yet. Raises BadAnswer."""
    document = decode(raw)
    if not isinstance(document, dict):
        raise BadAnswer("wanted a market")
    tokens = document.get("tokens")
    if not isinstance(tokens, list):
        return None
    version = _version(document.get("version"))
    ids: list[object] = []
    for token in tokens:
        if not isinstance(token, dict):
            return None
        # Where a token of a V2 market has both, the position id is the one that is traded.
        ids.append(token.get("position_id") or token.get("token_id") if version == "v2" else token.get("token_id"))
    return _market(document.get("condition_id"), version, ids, document.get("neg_risk"), "the CLOB")


def _market(condition_id: object, version: str, ids: object, neg_risk: object, source: str) -> Market | None:
    if isinstance(ids, str):  # Gamma writes some arrays as JSON in a text
        try:
            ids = decode(ids.encode("utf-8", "replace"))
        except BadAnswer:
            return None
    if not isinstance(condition_id, str) or not _CONDITION.fullmatch(condition_id.lower()):
        return None
    if not isinstance(ids, list) or not ids:
        return None
    token_ids = tuple(token_id for token_id in ids if isinstance(token_id, str) and token_id)
    if len(token_ids) != len(ids):  # not whole yet; leaving a hole out would move the outcomes behind it
        return None
    return Market(
        condition_id=condition_id.lower(),
        version=version,
        token_ids=token_ids,
        neg_risk=neg_risk if isinstance(neg_risk, bool) else None,
        source=source,
    )


def _version(said: object) -> str:
    """What the market says, in lower case; "" for nothing. A number is not taken for a version: it may be the API's."""
    if said is None:
        return ""
    return said.strip().lower() if isinstance(said, str) else repr(said)[:20]
