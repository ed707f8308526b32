"""Every setting that a decision depends on, and the rules that a sane one keeps.

The words are those of the configuration file (DESIGN 7). A `Policy` that breaks a rule cannot be built; `faults` gives
all the broken rules at once, so that a person mends the file in one go.

Not here: where to connect, how often to poll (app/config.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from attrs import field, fields_dict, frozen

ALL = "all"
COPIED = "copied"


def _lower(value: str) -> str:
    return value.lower()


def _lower_set(values: object) -> frozenset[str]:
    assert isinstance(values, list | tuple | set | frozenset)
    return frozenset(str(value).lower() for value in values)


@frozen(kw_only=True)
class Policy:
    """How to follow. Shares and pUSD are `Decimal`, durations are seconds, counts are polls."""

    target_address: str = field(default="", converter=_lower)  # the wallet that is followed
    my_address: str = field(default="", converter=_lower)  # the wallet that holds our shares
    follow_ratio: Decimal = Decimal("0.2")  # of each of the target's positions
    deadband_shares: Decimal = Decimal(3)  # a gap up to this is left
    slice_min: Decimal = Decimal(5)  # shares of one order
    slice_max: Decimal = Decimal(25)
    order_ttl_sec: Decimal = Decimal(90)  # an order older than this is taken down and quoted anew
    tick_size: Decimal = Decimal("0.001")  # only where the book has none
    maker_only: bool = True
    max_notional_per_token: Decimal = Decimal(500)  # pUSD
    max_notional_total: Decimal = Decimal(2000)  # pUSD
    blacklist_token_keys: frozenset[str] = field(factory=frozenset, converter=_lower_set)
    polls_to_grow: int = 1
    polls_to_shrink: int = 2
    settle_timeout_sec: Decimal = Decimal(300)  # without own fills this long, the positions feed is believed again
    fill_grace_sec: Decimal = Decimal(60)  # how late the exchange's own answers may be
    max_price_deviation: Decimal = Decimal("0.10")  # pUSD per share, from the current price
    manage_holdings: str = ALL
    # Limits, off unless set (limits.py).
    max_daily_spend: Decimal | None = None  # pUSD that the BUYs of a UTC day may cost
    max_daily_loss: Decimal | None = None  # pUSD that the copied holdings may lose in a UTC day before buying stops
    min_open_price: Decimal | None = None  # pUSD per share; below it nothing is bought
    max_open_price: Decimal | None = None
    min_hours_to_end: Decimal | None = None  # a market that ends sooner is not bought
    allow_markets: frozenset[str] = field(factory=frozenset, converter=_lower_set)  # where set, these alone are bought
    deny_markets: frozenset[str] = field(factory=frozenset, converter=_lower_set)  # these are never bought

    def __attrs_post_init__(self) -> None:
        for key, got, wants in faults(self):
            raise ValueError(f"{key}: got {got}, wants {wants}")

    @property
    def polls_remembered(self) -> int:
        """How many earlier complete polls of the target count: enough for a doubled `polls_to_shrink`."""
        return max(2 * self.polls_to_shrink - 1, self.polls_to_grow - 1)


def faults(policy: Policy) -> Iterator[tuple[str, str, str]]:
    """Yield (key, got, wants) for every rule that `policy` breaks. A rule of two keys stands under the first."""
    return _faults({name: getattr(policy, name) for name in fields_dict(Policy)})


def faults_of(settings: dict[str, object]) -> Iterator[tuple[str, str, str]]:
    """The same for settings that are of the right types but not a `Policy` yet; what is left out has its default."""
    return _faults({**{name: attribute.default for name, attribute in fields_dict(Policy).items()}, **settings})


def _faults(settings: dict[str, object]) -> Iterator[tuple[str, str, str]]:
    def of(name: str) -> Decimal:
        value = settings[name]
        assert isinstance(value, (Decimal, int))
        return Decimal(value)

    for name in _NOT_NEGATIVE:
        if not (of(name).is_finite() and of(name) >= 0):
            yield name, str(of(name)), "a finite number that is not negative"
    for name in _POSITIVE:
        if not (of(name).is_finite() and of(name) > 0):
            yield name, str(of(name)), "a finite number above 0"
    for name, (fits, wants) in _LIMITS.items():
        if settings[name] is not None and not (of(name).is_finite() and fits(of(name))):
            yield name, str(of(name)), wants
    for name in ("polls_to_grow", "polls_to_shrink"):
        if not 1 <= of(name) <= 1000:
            yield name, str(of(name)), "a whole number from 1 to 1000"
    if not (of("tick_size").is_finite() and 0 < of("tick_size") <= Decimal("0.5")):
        yield "tick_size", str(of("tick_size")), "a number above 0 and at most 0.5"
    if settings["manage_holdings"] not in (ALL, COPIED):
        yield "manage_holdings", repr(settings["manage_holdings"]), f'"{ALL}" or "{COPIED}"'
    target, mine = str(settings["target_address"]).lower(), str(settings["my_address"]).lower()
    if target and target == mine:
        yield "target_address", target, "another wallet than my_address: nobody can follow himself"
    low, high = settings["min_open_price"], settings["max_open_price"]
    if low is not None and high is not None and of("min_open_price") > of("max_open_price"):
        yield "min_open_price", str(low), f"at most max_open_price, which is {high}"
    numbers = {name: of(name) for name in (*_NOT_NEGATIVE, *_POSITIVE)}
    if not all(number.is_finite() for number in numbers.values()):
        return
    if of("slice_min") > of("slice_max"):
        yield "slice_min", str(of("slice_min")), f"at most slice_max, which is {of('slice_max')}"
    if of("slice_min") > 2 * of("deadband_shares"):
        yield (
            "slice_min",
            str(of("slice_min")),
            f"at most {2 * of('deadband_shares')} (2 x deadband_shares), "
            "or one fill jumps over the band and we trade back and forth",
        )
    if of("settle_timeout_sec") < of("order_ttl_sec") + 60:
        yield (
            "settle_timeout_sec",
            str(of("settle_timeout_sec")),
            f"at least {of('order_ttl_sec') + 60} (order_ttl_sec + 60), or an order may outlive the quiet",
        )


_NOT_NEGATIVE = (
    "deadband_shares",
    "slice_min",
    "max_notional_per_token",
    "max_notional_total",
    "fill_grace_sec",
    "max_price_deviation",
)
_POSITIVE = ("follow_ratio", "slice_max", "order_ttl_sec", "settle_timeout_sec")
_LIMITS: dict[str, tuple[Callable[[Decimal], bool], str]] = {
    "max_daily_spend": (lambda value: value >= 0, "a finite number that is not negative"),
    "max_daily_loss": (lambda value: value > 0, "a finite number above 0"),
    "min_open_price": (lambda value: 0 < value < 1, "a number above 0 and below 1"),
    "max_open_price": (lambda value: 0 < value < 1, "a number above 0 and below 1"),
    "min_hours_to_end": (lambda value: value > 0, "a finite number above 0"),
}
