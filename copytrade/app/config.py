"""The configuration: every key, what it may be, and one error that names everything that is wrong with it.

`KEYS` is the whole of it, in the order of the documentation: the flags of `copytrade run`, the help, the file's reader
and the `config` of a snapshot are all made from this table. Keys that decide make up the `Policy`, whose own rules
(ranges, rules of two keys) stand in domain/policy.py; the others say where and how often, and stand in `Config`.

A secret is never configuration. A key that is named like one, or a text that looks like one (64 hex digits, a phrase of
twelve words), is refused, and neither it nor its value is quoted anywhere.

Not here: where the signing key comes from (wiring/keys.py), the environment, the file system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import fields_dict, frozen

from copytrade.app.kinds import ADDRESS, ADDRESS_OR_NAME, TOKEN_KEY, URL
from copytrade.app.reading import FLAG, NOT_SHOWN, Kind, Number, Spot, exact, number, one_of, parse, text_at, whole
from copytrade.domain.policy import ALL, COPIED, Policy, faults_of
from copytrade.errors import BadInput, Fault

CANCEL = "cancel"
KEEP = "keep"
NOTHING_STARTED = "nothing was started"

# What a message may be about; docs/alerts.md tells what each is.
ALERTS = (
    "start", "stop", "fill", "exit", "limit", "safe_mode", "stale_feed", "warning", "refusal", "account", "summary",
)  # fmt: skip
GEOBLOCK_URL = "https://polymarket.com/api/geoblock"


@frozen(kw_only=True)
class Config:
    """All settings of a run. Durations are seconds, sizes shares."""

    policy: Policy
    poll_interval_sec: Decimal
    size_threshold: Decimal
    on_stop: str  # CANCEL or KEEP
    metrics_port: int | None  # None: none are served
    alert_urls_path: Path | None
    alert_on: tuple[str, ...]  # of ALERTS
    alert_after_sec: Decimal
    state_path: Path
    journal_dir: Path
    data_api_version: int
    data_api_url: str
    gamma_api_url: str
    clob_url: str
    geoblock_url: str
    chain_id: int
    signature_type: int | None  # None in a dry run, which signs nothing


# -- the table of keys ------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Key:
    """One key of the configuration."""

    name: str
    kind: Kind[Any]
    help: str  # one sentence, for --help and the documentation
    default: object = None  # as a document would hold it; None: there is none
    deciding: bool = False  # part of the Policy, and so of every snapshot
    flag: str  # of `copytrade run`

    @property
    def many(self) -> bool:
        """A list: its flag may be given again and again."""
        return self.name in _LISTS


def _path_at(spot: Spot) -> str | None:
    text = text_at(spot)
    if text is not None and text.startswith("~"):
        spot.fault("a path written out: ~ means nothing in this file")
        return None
    return text if text and "\0" not in text else None


_PATH = Kind[str]("a path", _path_at)
_ANY_NUMBER = number()  # the Policy knows the ranges
_LIMIT = number(least=0)
_PRICE_LIMIT = number(above=0, below=1)
_MANAGE = Kind[str](f'"{ALL}" or "{COPIED}"', text_at)
_ADDRESSES = ("target_address", "my_address")
_LISTS = ("blacklist_token_keys", "allow_markets", "deny_markets", "alert_on")
_BLACKLIST = "blacklist_token_keys"  # holds condition ids, which look just like private keys


def _blacklist_at(spot: Spot) -> tuple[str, ...] | None:
    before = len(spot.faults)
    found: dict[str, str] = {}
    for item in spot.items():
        token_key = item.read(TOKEN_KEY)
        if token_key is not None and found.setdefault(token_key, item.path) != item.path:
            item.fault(f"each token key once; it stands at {found[token_key]}")
    return None if len(spot.faults) > before else tuple(found)


def _words_at(spot: Spot) -> tuple[str, ...] | None:
    before = len(spot.faults)
    words = [item.read(_WORDS_OF_ONE) for item in spot.items()]
    return None if len(spot.faults) > before else tuple(word for word in words if word is not None)


def _some_words_at(spot: Spot) -> str | None:
    text = text_at(spot)
    return text.strip() if text is not None and text.strip() else None


_WORDS_OF_ONE = Kind[str]("words of a title or slug", _some_words_at)
_WORDS = Kind[tuple[str, ...]]("a list", _words_at)


def _alerts_at(spot: Spot) -> tuple[str, ...] | None:
    before = len(spot.faults)
    words = [item.read(one_of(*ALERTS)) for item in spot.items()]
    return None if len(spot.faults) > before else tuple(dict.fromkeys(word for word in words if word is not None))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _policy_key(name: str, kind: Kind[Any], text: str, flag: str | None = None) -> Key:
    """A key that decides; its default is the Policy's."""
    default: object = fields_dict(Policy)[name].default
    if name in _ADDRESSES:
        default = None  # the Policy's own is "nobody"
    elif name in _LISTS:
        default = ()
    return Key(name=name, kind=kind, help=text, default=default, deciding=True, flag=flag or _flag(name))


def _other_key(name: str, kind: Kind[Any], text: str, default: object, flag: str | None = None) -> Key:
    return Key(name=name, kind=kind, help=text, default=default, flag=flag or _flag(name))


_ALL_KEYS = (
    _policy_key("target_address", ADDRESS, "The wallet that is followed.", "--target"),
    _policy_key("my_address", ADDRESS, "The wallet that holds our shares (proxy, safe or deposit wallet)."),
    _policy_key("follow_ratio", _ANY_NUMBER, "How much of each of the target's positions we want.", "--ratio"),
    _other_key("poll_interval_sec", number(above=0), "Seconds from one cycle to the next.", Decimal(20), "--poll"),
    _other_key("size_threshold", number(least=0), "Positions below this many shares are not asked for.", Decimal(0)),
    _policy_key("deadband_shares", _ANY_NUMBER, "A gap of up to this many shares is left as it is."),
    _policy_key("slice_min", _ANY_NUMBER, "The least that one order asks for, in shares."),
    _policy_key("slice_max", _ANY_NUMBER, "The most that one order asks for, in shares."),
    _policy_key("order_ttl_sec", _ANY_NUMBER, "Seconds after which an order is taken down and quoted anew."),
    _policy_key("tick_size", _ANY_NUMBER, "The price step where a market does not tell its own."),
    _policy_key("maker_only", FLAG, "Rest in the book and never take; false quotes at the opposite best."),
    _policy_key("max_notional_per_token", _ANY_NUMBER, "No token grows beyond this many pUSD."),
    _policy_key("max_notional_total", _ANY_NUMBER, "All tokens together do not grow beyond this many pUSD."),
    _policy_key(
        "blacklist_token_keys",
        Kind[tuple[str, ...]]("a list", _blacklist_at),
        "Outcomes to keep our hands off, as condition_id:outcome_index.",
    ),
    _policy_key("polls_to_grow", whole(1, 1000), "How many polls must show a growth before we follow it."),
    _policy_key("polls_to_shrink", whole(1, 1000), "How many polls must show a decrease before we follow it."),
    _policy_key("settle_timeout_sec", _ANY_NUMBER, "Seconds without own fills until the positions feed is believed."),
    _policy_key("fill_grace_sec", _ANY_NUMBER, "Seconds by which the exchange's own answers may be late."),
    _policy_key("max_price_deviation", _ANY_NUMBER, "How far from the current price we quote at most, in pUSD."),
    _policy_key("manage_holdings", _MANAGE, 'Sell what we hold: "all", or what copytrade "copied" only.'),
    _policy_key("max_daily_spend", _LIMIT, "The BUYs of a UTC day do not cost more than this many pUSD."),
    _policy_key("max_daily_loss", _LIMIT, "After a loss of this many pUSD in a UTC day nothing more is bought."),
    _policy_key("min_open_price", _PRICE_LIMIT, "Nothing is bought below this price."),
    _policy_key("max_open_price", _PRICE_LIMIT, "Nothing is bought above this price."),
    _policy_key("min_hours_to_end", _LIMIT, "No market is bought that ends within so many hours."),
    _policy_key(
        "allow_markets", _WORDS, "Buy only markets with one of these words in title or slug (* and ? are wild)."
    ),
    _policy_key("deny_markets", _WORDS, "Buy no market with one of these words in title or slug (* and ? are wild)."),
    _other_key("on_stop", one_of(CANCEL, KEEP), "What becomes of our resting orders when a run stops.", CANCEL),
    _other_key("state_path", _PATH, "The state file (state.json beside the configuration).", None, "--state"),
    _other_key("journal_dir", _PATH, "The folder of the journal (journal beside the configuration).", None),
    _other_key("metrics_port", whole(1, 65535), "Serve Prometheus metrics on this port of 127.0.0.1.", None),
    _other_key("alert_urls_path", _PATH, "A file of mode 0600 with the URLs that alerts go to, one a line.", None),
    _other_key("alert_on", Kind[tuple[str, ...]]("a list", _alerts_at), "What alerts are sent about.", ALERTS),
    _other_key("alert_after_sec", number(above=0), "Seconds that a trouble lasts before it is told.", Decimal(600)),
    _other_key("data_api_version", whole(1, 2), "Which version of the positions feed is asked.", 2),
    _other_key("data_api_url", URL, "Where the positions feed is.", "https://data-api.polymarket.com"),
    _other_key("gamma_api_url", URL, "Where the market data is.", "https://gamma-api.polymarket.com"),
    _other_key("clob_url", URL, "Where the exchange is.", "https://clob.polymarket.com"),
    _other_key("geoblock_url", URL, "Where it is asked whether you may trade from here.", GEOBLOCK_URL),
    _other_key("chain_id", whole(1, 2**53), "The chain that orders are signed for.", 137),
    _other_key("signature_type", whole(0, 3), "Which kind of wallet my_address is; needed for a live run.", None),
)
KEYS: Mapping[str, Key] = {key.name: key for key in _ALL_KEYS}


# -- reading ----------------------------------------------------------------------------------------------------------


def read_config(raw: bytes | None, flags: Mapping[str, object], *, source: str, live: bool = False) -> Config:
    """The settings of a run, from the text of the file `source` (None: there is no file) and from flags, which win.

    `flags` maps names of `KEYS` to a bool, an int, a Decimal, a text (as typed: "0.2"), a path or a list of texts; None
    is a flag that was not given. What is wrong in the file is a fault even where a flag wins. Paths in the file are
    relative to it, paths in flags to the current folder. `live` asks for what a run that signs needs.

    Raises BadInput with every fault.
    """
    faults: list[Fault] = []
    spots: dict[str, Spot] = {}
    if raw is not None:
        document = Spot(value=parse(raw, source, NOTHING_STARTED), faults=faults, hides=looks_secret)
        spots = _spots_of(document)
    for name, value in flags.items():
        if value is not None:
            given = Spot(value=_as_read(value), faults=faults, start=KEYS[name].flag, hides=looks_secret)
            if name != _BLACKLIST:
                _refuse_secrets(given)
            if name in spots:
                spots[name].read(KEYS[name].kind)
            spots[name] = given
    settings, wrong = _read_settings(spots, faults)
    for name in (*_ADDRESSES, *(("signature_type",) if live else ())):
        if name not in settings and name not in wrong:
            key = KEYS[name]
            faults.append(Fault(path=name, got="nothing", wants=f"{key.kind.wants} (or {key.flag})"))
    if faults:
        raise BadInput(source, _without_echoes(faults), NOTHING_STARTED)

    def value_of(name: str) -> Any:
        return settings.get(name, KEYS[name].default)

    beside = Path() if raw is None else Path(source).parent

    def path_of(name: str, default: str) -> Path:
        from_flag = flags.get(name) is not None
        return Path(settings[name]) if from_flag else beside / settings.get(name, default)

    return Config(
        policy=_policy_of(settings),
        poll_interval_sec=value_of("poll_interval_sec"),
        size_threshold=value_of("size_threshold"),
        on_stop=value_of("on_stop"),
        metrics_port=value_of("metrics_port"),
        alert_urls_path=path_of("alert_urls_path", "") if "alert_urls_path" in settings else None,
        alert_on=value_of("alert_on"),
        alert_after_sec=value_of("alert_after_sec"),
        state_path=path_of("state_path", "state.json"),
        journal_dir=path_of("journal_dir", "journal"),
        data_api_version=value_of("data_api_version"),
        data_api_url=value_of("data_api_url"),
        gamma_api_url=value_of("gamma_api_url"),
        clob_url=value_of("clob_url"),
        geoblock_url=value_of("geoblock_url"),
        chain_id=value_of("chain_id"),
        signature_type=value_of("signature_type"),
    )


def paths_in(raw: bytes, *, source: str, consequence: str) -> dict[str, Path]:
    """`state_path` and `journal_dir`, as far as a configuration names them that may be wrong in everything else.

    Raises BadInput where it is no object, or one of the two is no path.
    """
    faults: list[Fault] = []
    document = Spot(value=parse(raw, source, consequence), faults=faults, hides=looks_secret)
    if not isinstance(document.value, dict):
        document.fault("an object")
    members = document.value if isinstance(document.value, dict) else {}
    found = {
        name: document.under(name, members[name]).read(_PATH)
        for name in ("state_path", "journal_dir")
        if members.get(name) is not None
    }
    if faults:
        raise BadInput(source, faults, consequence)
    return {name: Path(source).parent / path for name, path in found.items() if path is not None}


def read_policy(spot: Spot) -> Policy | None:
    """The `config` of a snapshot: the keys that decide; the others are checked and left. None where any is wrong.

    An address decides nothing but whether we follow ourselves, so any name will do for one here.
    """
    guarded = Spot(value=spot.value, faults=spot.faults, start=spot.path, hides=looks_secret)
    before = len(spot.faults)
    names = dict.fromkeys(_ADDRESSES, ADDRESS_OR_NAME)
    settings, _ = _read_settings(_spots_of(guarded), spot.faults, kinds=names, prefix=f"{spot.path}.")
    return None if len(spot.faults) > before else _policy_of(settings)


def _spots_of(document: Spot) -> dict[str, Spot]:
    """Where each key stands that is there and not null. Unknown keys and secrets are faults."""
    _refuse_secrets(document)
    members = document.fields(*KEYS)
    return {name: members[name] for name in KEYS if name in members}


def _read_settings(
    spots: Mapping[str, Spot],
    faults: list[Fault],
    *,
    kinds: Mapping[str, Kind[Any]] | None = None,
    prefix: str = "",
) -> tuple[dict[str, Any], set[str]]:
    """The values at these spots, and the names of those that are wrong. The Policy's own rules are checked too.

    A rule of two keys is not complained about while one of the two is wrong in itself.
    """
    settings: dict[str, Any] = {}
    wrong: set[str] = set()
    for name, spot in spots.items():
        value = spot.read((kinds or {}).get(name, KEYS[name].kind))
        if value is None:
            wrong.add(name)
        else:
            settings[name] = value
    of_the_wrong_type = set(wrong)
    deciding = {name: value for name, value in settings.items() if KEYS[name].deciding}
    for name, got, wants in faults_of(deciding):
        if name in of_the_wrong_type or any(other in wants for other in wrong):
            continue
        if name in spots:
            spots[name].fault(wants)
        else:
            faults.append(Fault(path=prefix + name, got=f"{got} (the default)", wants=wants))
        wrong.add(name)
    return settings, wrong


def _policy_of(settings: Mapping[str, Any]) -> Policy:
    return Policy(**{name: value for name, value in settings.items() if KEYS[name].deciding})


def _as_read(value: object) -> object:
    """A flag's value as a document would hold it."""
    match value:
        case bool() | str():
            return value
        case int():
            return Number(value)
        case Decimal():
            return Number(format(value, "f"))
        case Path():
            return str(value)
        case list() | tuple() | set() | frozenset():
            return [_as_read(item) for item in value]
        case _:
            raise TypeError(
                f"a flag is a bool, an int, a Decimal, a text, a path or a list, not {type(value).__name__}"
            )


# -- secrets ----------------------------------------------------------------------------------------------------------

_SECRET_NAME = re.compile(
    r"privatekey|secret|pass(?:phrase|word|wd)|mnemonic|seedphrase|seedwords|apikey|signingkey|walletkey|keystore"
)
_SECRET_TEXT = re.compile(
    r"[0-9a-fA-F]{48}"  # a private key, or the API's passphrase; a few digits may be lost
    r"|^\s*(?:[a-zA-Z]+\s+){11,}[a-zA-Z]+\s*$"  # a recovery phrase
    r"|://[^/]*@"  # the password in a URL
)
_NO_SECRETS = "no secrets here: the signing key comes from COPYTRADE_PRIVATE_KEY, a keystore file or the system keyring"


def looks_secret(text: str) -> bool:
    """Could this text be a secret? Condition ids look like private keys, so not everything that does is one.

    >>> looks_secret("0x" + "5e" * 32), looks_secret("0x" + "5e" * 20), looks_secret("https://me:word@host")
    (True, False, True)
    """
    return _SECRET_TEXT.search(text) is not None and exact(text) is None  # a number may have many decimals


def _refuse_secrets(document: Spot) -> None:
    """A fault for each secret, wherever it stands but in the blacklist."""
    waiting = [document]
    while waiting:
        spot = waiting.pop()
        match spot.value:
            case str() if spot.hides(spot.value):
                spot.fault(_NO_SECRETS, got=NOT_SHOWN)
            case list():
                waiting.extend(reversed([spot.under(index, item) for index, item in enumerate(spot.value)]))
            case dict():
                for name, value in reversed(spot.value.items()):
                    member = spot.under(name, value)
                    if spot is document and name == _BLACKLIST:
                        continue
                    if spot.hides(name) or _SECRET_NAME.search(re.sub("[^a-z]", "", name.lower())):
                        member.fault(_NO_SECRETS, got=NOT_SHOWN)
                    else:
                        waiting.append(member)


def _without_echoes(faults: Iterable[Fault]) -> list[Fault]:
    """One fault for each secret: what else is wrong at that place (its key is unknown, too) only distracts."""
    faults = list(faults)
    secrets = {fault.path for fault in faults if fault.wants == _NO_SECRETS}
    return [fault for fault in faults if fault.path not in secrets or fault.wants == _NO_SECRETS]
