"""What the facts of a start mean: one line each, ok, warning or fault, with what to do. Pure.

Rule 1: a fault is what a live start is refused for, and nothing else is: `doctor` and `run` judge by one function.
Rule 2: what did not answer is a warning. A start waits in safe mode until it does, as it would in the middle of a run.
Rule 3: a line whose cause has failed already says "not checked" and names the cause; nothing is guessed from it.
Rule 4: a dry run needs no key and sends nothing: what only a live start needs is at most a warning for it.

The order of the lines is the order of causes, local things first. `NAMES` is the whole of them.
Not here: who is asked (examining.py), what the lines look like (cli/doctor.py).
Source: API.md "Hosts", "Which client", "Data-API: positions", "Orders", "Limits that bind".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from attrs import evolve, field, frozen

from copytrade.app.config import Config
from copytrade.app.ports import Contract, Funds, Region
from copytrade.app.writing import plain
from copytrade.domain.amounts import equal
from copytrade.domain.ids import IdKind, kind_of
from copytrade.domain.model import ZERO, Position, Positions
from copytrade.errors import RefusedToStart

T = TypeVar("T")


class Standing(Enum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    NOT_CHECKED = "not checked"


@frozen(kw_only=True)
class Check:
    """One line of the answer: `what` is so, and `what_to_do` about it ("" where nothing is)."""

    name: str
    standing: Standing
    what: str
    what_to_do: str = ""


@frozen(kw_only=True)
class Unknown:
    """A fact that could not be learned, and why; `no`: the exchange refused for certain, in these words."""

    why: str
    no: bool = False


@frozen(kw_only=True)
class Folder:
    """A folder that a run writes to; `trouble` is why it can't, "" where it can."""

    path: str
    free_bytes: int | None = None
    trouble: str = ""


@frozen(kw_only=True)
class Held:
    """A position of ours that the feed tells of, and what the exchange itself has of it."""

    position: Position
    funds: Funds


@frozen(kw_only=True)
class Facts:
    """Everything that was learned. None: it was not asked."""

    config: Config
    dry: bool = False
    state_notes: tuple[str, ...] = ()
    state_refused: str = ""
    first: bool = False  # there is no state yet
    stopped: bool = False  # the switch is thrown
    in_use: str | None = ""  # who has the lock, in words; None: it can't be looked at
    state_folder: Folder | None = None
    journal_folder: Folder | None = None
    told: str | Unknown | None = None  # who is told of a run: alerts, metrics
    key: str | Unknown | None = None  # its address
    region: Region | Unknown | None = None
    skew_sec: Decimal | Unknown | None = None  # the exchange's clock less ours
    order_version: int | Unknown | None = None
    credentials: bool | Unknown | None = None
    closed_only: bool | Unknown | None = None
    funds: Funds | Unknown | None = None
    target: Positions | Unknown | None = None
    has_traded: bool | Unknown | None = None  # asked only where the target holds nothing
    mine: Positions | Unknown | None = None
    feed_version: int = 2  # the one that was used
    lag_sec: Decimal | Unknown | None = None
    held: Held | Unknown | None = None
    tier: str | Unknown | None = None


STATE, LOCK, DISK, ALERTS, KEY = "state", "lock", "disk", "alerts", "key"
REGION, EXCHANGE, CLOCK = "region", "exchange", "clock"
CREDENTIALS, ACCOUNT, CASH, ALLOWANCES = "credentials", "account", "cash", "allowances"
LEADER, FEED, SIZE, HOLDING, TIER = "leader", "feed", "size", "holding", "tier"
CONFIGURATION = "configuration"
NAMES = (CONFIGURATION, STATE, LOCK, DISK, ALERTS, KEY, REGION, EXCHANGE, CLOCK, CREDENTIALS, ACCOUNT, CASH, ALLOWANCES,
         LEADER, FEED, SIZE, HOLDING, TIER)  # fmt: skip
_REFUSES_A_DRY_RUN = {CONFIGURATION, STATE, ALERTS}

SKEW_WARNING_SEC, SKEW_FAULT_SEC = Decimal(2), Decimal(30)
LAG_WARNING_SEC = Decimal(30)  # seconds are usual on version 2; v1 was seen 60 to 180 behind
CACHED_SEC = Decimal(5)  # by the Data-API's CDN
LOW_ON_DISK = 200 * 1024 * 1024  # bytes; a journal of 300 tokens grows by some MB an hour
LEAST_CASH = Decimal(5)  # pUSD; one order of five shares costs up to that
KNOWN_ORDERS = 2  # the version that this copytrade signs
ORDER_BURST, ORDERS_PER_SEC = 60, 40  # of the Standard tier, by which we pace ourselves
PAGE_ROWS = {1: 500, 2: 1000}
REQUESTS_PER_10_SEC = {1: 150, 2: 200}
MOST_ROWS = {1: 10_500, 2: 50_000}  # what one answer can hold at all

_WAITS = "look at the network; a run would wait in safe mode until this answers"


def no_configuration(what: str, what_to_do: str) -> tuple[Check, ...]:
    """The answer where there is no good configuration: the rest depends on it."""
    rest = [_not_checked(name, CONFIGURATION) for name in NAMES[1:]]
    return (Check(name=CONFIGURATION, standing=Standing.FAULT, what=what, what_to_do=what_to_do), *rest)


def judge(facts: Facts) -> tuple[Check, ...]:
    """Every line, in the order of causes."""
    sheet = _Sheet()
    sheet.add(CONFIGURATION, facts.config, _configuration)
    sheet.add(STATE, facts, _state)
    sheet.add(LOCK, facts, _lock)
    sheet.add(DISK, facts.state_folder, lambda folder: _disk(folder, facts.journal_folder))
    sheet.add(ALERTS, facts.told, lambda told: _ok(ALERTS, told), needs=(LOCK,), no=_MEND_ALERTS)
    sheet.add(KEY, facts.key, lambda key: _key(key, facts.config), no=_GIVE_A_KEY, skipped=_NO_KEY)
    sheet.add(REGION, facts.region, _region, skipped=_why_no_region(facts.config))
    sheet.add(EXCHANGE, facts.order_version, _exchange)
    sheet.add(CLOCK, facts.skew_sec, _clock, needs=(EXCHANGE,))
    sheet.add(CREDENTIALS, facts.credentials, _credentials, needs=(KEY, EXCHANGE), no=_NO_CREDENTIALS)
    if facts.credentials is False:
        sheet.failed.add(CREDENTIALS)  # a warning that leaves nothing to ask with
    account = (CREDENTIALS,)
    sheet.add(ACCOUNT, facts.closed_only, _account, needs=account, no=_BANNED)
    sheet.add(CASH, facts.funds, lambda funds: _cash(funds, facts), needs=account, no=_NO_FUNDS)
    sheet.add(ALLOWANCES, facts.funds, lambda funds: _allowances(funds, facts), needs=(*account, CASH))
    sheet.add(LEADER, facts.target, lambda target: _leader(target, facts))
    sheet.add(FEED, facts.target, lambda _: _feed(facts))
    sheet.add(SIZE, facts.target, lambda target: _size(target, facts), needs=(LEADER,))
    skipped = "nothing is held that could be compared" if isinstance(facts.mine, Positions) else ""
    sheet.add(HOLDING, facts.held, _holding, needs=account, no=_NO_FUNDS, skipped=skipped)
    sheet.add(TIER, facts.tier, _tier, needs=account, no="nothing: copytrade keeps to the tightest tier")
    checks = [_for_a_dry_run(check) if facts.dry else check for check in sheet.checks]
    return tuple(checks)


def faults_in(checks: Sequence[Check]) -> tuple[Check, ...]:
    """What a start is refused for."""
    return tuple(check for check in checks if check.standing is Standing.FAULT)


BEFORE_A_RUN = (REGION, EXCHANGE, CLOCK, CREDENTIALS, ACCOUNT, CASH, ALLOWANCES, LEADER)
"""What a live run looks at itself before it trades; the rest it meets on its way, or only `doctor` asks."""


def refuse(checks: Sequence[Check]) -> None:
    """Raise RefusedToStart where a live start must not go on, with every reason and what to do about it."""
    faults = faults_in(checks)
    if faults:
        lines = [f"  {one.name}: {one.what}\n    -> {one.what_to_do}" for one in faults]
        raise RefusedToStart("\n".join(["this start is refused, nothing was sent:", *lines]))


def notes_of(checks: Sequence[Check]) -> tuple[str, ...]:
    """What a person should know of a start that goes on all the same, a line each."""
    return tuple(
        f"{one.name}: {one.what}; {one.what_to_do}"
        for one in checks
        if one.standing is Standing.WARNING and one.name in BEFORE_A_RUN
    )


@frozen(kw_only=True)
class _Sheet:
    """The lines so far, and which of them have failed, so that others can't be judged."""

    checks: list[Check] = field(factory=list)
    failed: set[str] = field(factory=set)

    def add(
        self,
        name: str,
        fact: T | Unknown | None,
        judged: Callable[[T], Check],
        *,
        needs: Sequence[str] = (),
        no: str = "",
        skipped: str = "",
    ) -> None:
        """Judge `fact`, unless a cause has failed, or it is not known (`no`: what to do about a definite refusal)."""
        cause = next((need for need in needs if need in self.failed), None)
        if cause is not None:
            check = _not_checked(name, cause)
        elif fact is None:
            check = Check(name=name, standing=Standing.NOT_CHECKED, what=skipped or "was not asked")
        elif isinstance(fact, Unknown):
            standing = Standing.FAULT if fact.no and name in (ALERTS, KEY, *BEFORE_A_RUN) else Standing.WARNING
            check = Check(name=name, standing=standing, what=fact.why, what_to_do=no if fact.no else _WAITS)
        else:
            check = judged(fact)
        if check.standing in (Standing.FAULT, Standing.NOT_CHECKED) or isinstance(fact, Unknown):
            self.failed.add(name)
        self.checks.append(check)


def _not_checked(name: str, cause: str) -> Check:
    return Check(name=name, standing=Standing.NOT_CHECKED, what=f"waits for: {cause}")


def _for_a_dry_run(check: Check) -> Check:
    if check.standing is Standing.FAULT and check.name not in _REFUSES_A_DRY_RUN:
        return evolve(check, standing=Standing.WARNING, what=f"{check.what} (a dry run would go on)")
    return check


def _ok(name: str, what: str) -> Check:
    return Check(name=name, standing=Standing.OK, what=what)


def _warning(name: str, what: str, what_to_do: str) -> Check:
    return Check(name=name, standing=Standing.WARNING, what=what, what_to_do=what_to_do)


def _fault(name: str, what: str, what_to_do: str) -> Check:
    return Check(name=name, standing=Standing.FAULT, what=what, what_to_do=what_to_do)


_NO_KEY = "a dry run needs none"
_MEND_ALERTS = "mend it, or take alert_urls_path, COPYTRADE_ALERT_URLS or metrics_port away: a run tells nobody then"
_GIVE_A_KEY = "give the key that owns my_address: --keystore FILE, COPYTRADE_PRIVATE_KEY, or the system keyring"


# -- this machine -----------------------------------------------------------------------------------------------------


def _configuration(config: Config) -> Check:
    policy = config.policy
    return _ok(
        CONFIGURATION,
        f"follow {policy.target_address} at {plain(policy.follow_ratio)}; at most "
        f"{plain(policy.max_notional_per_token)} pUSD in one outcome and {plain(policy.max_notional_total)} in all",
    )


def _state(facts: Facts) -> Check:
    if facts.state_refused:
        return _fault(STATE, facts.state_refused, "name another file with --state, or move this one away")
    if facts.stopped:
        return _warning(STATE, "everything is stopped: a run would place nothing", "copytrade stop --lift")
    if facts.state_notes:
        done = "nothing: a start restores what it needs from the exchange, and trades a token once that is certain"
        return _warning(STATE, "; ".join(facts.state_notes), done)
    return _ok(STATE, f"{facts.config.state_path}: " + ("none yet, a first start" if facts.first else "good"))


def _lock(facts: Facts) -> Check:
    if facts.in_use is None:
        if facts.state_folder is not None and facts.state_folder.trouble:
            return _not_checked(LOCK, DISK)
        what = f"the lock of {facts.config.state_path} can be neither taken nor looked at"
        return _fault(LOCK, what, "make the .lock beside it a file that this user may write, or name another --state")
    if facts.in_use:
        return _fault(LOCK, facts.in_use, "stop the other one first, or name another file with --state")
    return _ok(LOCK, "no other copytrade uses this state")


def _disk(state: Folder, journal: Folder | None) -> Check:
    if state.trouble:
        what = f"{state.path} cannot be written ({state.trouble})"
        return _fault(DISK, what, "make it writable for this user, or name another with --state")
    folders = [state] if journal is None else [state, journal]
    for folder in folders:
        if folder.trouble:
            what = f"{folder.path} cannot be written ({folder.trouble}): there would be no journal"
            return _warning(DISK, what, "make it writable for this user, or name another with --journal-dir")
    low = [folder for folder in folders if folder.free_bytes is not None and folder.free_bytes < LOW_ON_DISK]
    if low:
        what = f"{low[0].path} has {_megabytes(low[0].free_bytes)} left"
        return _warning(DISK, what, "make room: where the state cannot be saved, nothing is traded")
    room = min((folder.free_bytes for folder in folders if folder.free_bytes is not None), default=None)
    return _ok(DISK, "writable" + ("" if room is None else f", {_megabytes(room)} free"))


def _megabytes(count: int | None) -> str:
    return f"{(count or 0) / 1024 / 1024:,.0f} MB"


def _key(address: str, config: Config) -> Check:
    kind = {0: "its own address", 1: "a proxy wallet", 2: "a safe", 3: "a deposit wallet"}
    wallet = kind.get(config.signature_type or 0, "a wallet")
    return _ok(KEY, f"{address} signs for {config.policy.my_address}, {wallet} (type {config.signature_type})")


# -- the exchange -----------------------------------------------------------------------------------------------------


def _why_no_region(config: Config) -> str:
    return f"{config.clob_url} is not Polymarket's own exchange (geoblock_url says where else to ask)"


def _region(region: Region) -> Check:
    here = f" ({region.country})" if region.country else ""
    if region.blocked:
        what = f"the exchange takes no orders from where you are{here}"
        return _fault(REGION, what, "trade from where its terms allow it; copytrade offers no way around this")
    return _ok(REGION, f"orders are taken from where you are{here}")


def _exchange(version: int) -> Check:
    if version != KNOWN_ORDERS:
        what = f"it speaks of order version {version}; this copytrade signs version {KNOWN_ORDERS}"
        return _warning(EXCHANGE, what, "update copytrade: orders that it signs may be refused")
    return _ok(EXCHANGE, f"it answers, and takes orders of version {version}")


def _clock(skew: Decimal) -> Check:
    words = f"this machine's clock is {money(abs(skew))} s {'behind' if skew > 0 else 'ahead of'} the exchange's"
    do = "set the clock by NTP (timedatectl set-ntp true): requests are signed with the time"
    if abs(skew) > SKEW_FAULT_SEC:
        return _fault(CLOCK, words, do)
    if abs(skew) > SKEW_WARNING_SEC:
        return _warning(CLOCK, words, do)
    return _ok(CLOCK, f"within {money(SKEW_WARNING_SEC)} s of the exchange's")


_NO_CREDENTIALS = "the exchange does not accept what this key signs: look at the clock, chain_id, and the key itself"
_BANNED = "write to the exchange's support; nothing here can mend it"
_NO_FUNDS = (
    "check my_address and signature_type: made on polymarket.com since 2026-05-04 is 3, before that 1 with an e-mail "
    "and 2 with a browser wallet; 0 is the key's own address"
)


def _credentials(there: bool) -> Check:
    if not there:
        return _warning(
            CREDENTIALS,
            "the exchange has no API credentials for this key yet",
            "nothing: a live start makes them. To check what needs them now, add --make-credentials",
        )
    return _ok(CREDENTIALS, "API credentials are there for this key")


def _account(closed_only: bool) -> Check:
    if closed_only:
        what = "the account is in closed-only mode: it may sell what it has, and buy nothing"
        return _fault(ACCOUNT, what, "ask the exchange why; copytrade will not start on it")
    return _ok(ACCOUNT, "it may buy and sell (a ban would show itself at an order at the latest)")


def _cash(funds: Funds, facts: Facts) -> Check:
    has = f"{money(funds.balance)} pUSD"
    held = facts.mine.positions if isinstance(facts.mine, Positions) else None
    if funds.balance == 0 and held == () and facts.mine is not None:
        what = "the exchange has no pUSD of this wallet, and the feed no position: there is nothing to trade with"
        return _fault(CASH, what, f"deposit pUSD; if you did, {_NO_FUNDS}")
    if funds.balance < LEAST_CASH:
        return _warning(CASH, has, "deposit pUSD: this buys hardly one order; what is held can still be sold")
    return _ok(CASH, has)


_APPROVE = (
    "approve it once on polymarket.com: a small trade by hand in such a market asks for it; copytrade never grants an "
    "approval"
)


def _allowances(funds: Funds, facts: Facts) -> Check:
    needed = min(funds.balance, facts.config.policy.max_notional_total)
    none = [one for one in Contract if funds.allowances.get(one) == 0]
    untold = [one for one in Contract if one not in funds.allowances]
    low = [one for one in Contract if 0 < funds.allowances.get(one, ZERO) < needed]
    if len(none) == len(Contract):
        return _fault(ALLOWANCES, "no contract of the exchange may take your pUSD: every BUY is refused", _APPROVE)
    if none:
        what = f"not allowed to take your pUSD: {_listed(none)}; BUYs there are refused"
        if Contract.V3 in none and isinstance(facts.target, Positions) and (count := _of_v3(facts.target)):
            what += f", and {count} of the leader's {len(facts.target.positions)} positions are new markets"
        return _warning(ALLOWANCES, what, _APPROVE)
    if low:
        what = f"less than you may want to spend ({money(needed)} pUSD) is allowed to {_listed(low)}"
        return _warning(ALLOWANCES, what, _APPROVE)
    if untold:
        return _warning(ALLOWANCES, f"the exchange does not say it of {_listed(untold)}", _APPROVE)
    return _ok(ALLOWANCES, "all three contracts may take your pUSD")


def _listed(contracts: Sequence[Contract]) -> str:
    return ", ".join(one.value for one in contracts)


def _of_v3(target: Positions) -> int:
    return sum(1 for row in target.positions if row.token_id and kind_of(row.token_id) is not IdKind.CTF)


# -- the leader -------------------------------------------------------------------------------------------------------


def _leader(target: Positions, facts: Facts) -> Check:
    held = [row for row in target.positions if row.size > 0 and not row.redeemable]
    if target.incomplete:
        what = f"{len(held)} positions, and the answer may lack some"
        return _warning(LEADER, what, "try again; on an incomplete answer a run trades nothing")
    if held:
        worth = sum((row.size * (row.current_price or row.avg_price or ZERO) for row in held), ZERO)
        wanted = worth * facts.config.policy.follow_ratio
        return _ok(
            LEADER,
            f"{len(held)} open positions worth about {money(worth)} pUSD; your share of them is about {money(wanted)}",
        )
    match facts.has_traded:
        case False:
            what = f"{facts.config.policy.target_address} holds nothing, and has never traded"
            return _fault(LEADER, what, "copy the address again from the leader's profile; it is not the key's address")
        case Unknown(why=why):
            return _warning(LEADER, f"holds nothing; whether it ever traded could not be learned ({why})", _WAITS)
        case _:
            do = "make sure that this is the wallet you mean: what you hold would be sold, and nothing bought"
            return _warning(LEADER, "has traded before, and holds nothing now", do)


def _feed(facts: Facts) -> Check:
    asked, used = facts.config.data_api_version, facts.feed_version
    if used != asked:
        what = f"version {asked} is not served, so version {used} is used, which may be minutes late"
        return _warning(FEED, what, "nothing, or set data_api_version to 1 to be asked no more")
    if isinstance(facts.lag_sec, Decimal):
        what = f"version {used}, {money(facts.lag_sec)} s behind the chain"
        if facts.lag_sec > LAG_WARNING_SEC:
            return _warning(FEED, what, "wait, or go on: what is on its way is counted, and nothing is bought twice")
        return _ok(FEED, what)
    return _ok(FEED, f"version {used}; it does not say how late it is")


def _size(target: Positions, facts: Facts) -> Check:
    policy, poll = facts.config.policy, facts.config.poll_interval_sec
    version = facts.feed_version if facts.feed_version in PAGE_ROWS else 2
    rows = len(target.positions)
    mine = len(facts.mine.positions) if isinstance(facts.mine, Positions) else 0
    pages = sum(max(1, -(-count // PAGE_ROWS[version])) for count in (rows, mine))
    held = [row for row in target.positions if row.size > 0 and not row.redeemable]
    followed = [row for row in held if row.size * policy.follow_ratio > policy.deadband_shares]
    first_sec = max(Decimal(0), Decimal(len(followed) - ORDER_BURST) / ORDERS_PER_SEC)
    small = len(held) - len(followed)
    too_small = f"; {small} are too small to follow at this ratio" if small else ""
    what = f"{len(followed)} positions to follow, {pages} pages a poll{too_small}"
    if rows >= MOST_ROWS[version]:
        return _warning(SIZE, f"{rows} rows are as many as the feed can tell of", "use data_api_version 2")
    if pages * 10 / poll > REQUESTS_PER_10_SEC[version]:
        return _warning(SIZE, f"{what}: more than the feed's limit every {money(poll)} s", "raise poll_interval_sec")
    if poll < CACHED_SEC:
        what += f"; answers are cached for up to {money(CACHED_SEC)} s"
        return _warning(SIZE, what, f"a poll_interval_sec below {money(CACHED_SEC)} shows nothing new")
    if first_sec > poll:
        what += f"; the first orders take about {money(first_sec)} s at the exchange's limit"
        return _warning(SIZE, what, "nothing: they are paced")
    if held and not followed:
        return _warning(SIZE, what, "raise follow_ratio, or lower deadband_shares")
    return _ok(SIZE, what)


# -- what is held, and the rest ---------------------------------------------------------------------------------------


def _holding(held: Held) -> Check:
    position, funds = held.position, held.funds
    title = position.title[:40] or position.token_key
    if not equal(funds.balance, position.size):
        return _warning(
            HOLDING,
            f"{title}: the feed says {money(position.size)} shares, the exchange {money(funds.balance)}",
            "wait a minute and look again: a fill may be on its way. If it stays, my_address or signature_type is "
            "another wallet's",
        )
    if funds.allowances and not any(funds.allowances.values()):
        what = f"{title}: {money(position.size)} shares, and no contract may take them: a SELL would be refused"
        return _warning(HOLDING, what, _APPROVE)
    return _ok(HOLDING, f"{title}: feed and exchange agree on {money(position.size)} shares")


def _tier(name: str) -> Check:
    paced = f"copytrade paces itself by {ORDERS_PER_SEC} orders a second, {ORDER_BURST} at once"
    return _ok(TIER, f"{name or 'the exchange does not say which'}; {paced}")


def money(number: Decimal) -> str:
    """A number for people: two decimals at most, none where they are zero.

    >>> money(Decimal("1234.5")), money(Decimal("0.2")), money(Decimal(500)), money(Decimal("3.14159"))
    ('1234.50', '0.20', '500', '3.14')
    """
    rounded = number.quantize(Decimal("0.01"))
    return str(int(rounded)) if rounded == int(rounded) else f"{rounded:f}"
