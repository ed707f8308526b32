"""The configuration: every key, every rule, every fault at once, and no secret on any screen."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import fields_dict
from hypothesis import given
from hypothesis import strategies as st

from copytrade.app.config import ALERTS, KEYS, Config, read_config
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput
from tests.strategies import MINE, TARGET, D

SOURCE = "conf/copytrade_config.json"
ADDRESSES: dict[str, Any] = {"target_address": TARGET, "my_address": MINE}
HEX_KEY = "5e" * 32
PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
NO_SECRETS = (
    "wants no secrets here: the signing key comes from COPYTRADE_PRIVATE_KEY, a keystore file or the system keyring"
)


def config(_flags: Any = None, *, live: Any = False, **keys: Any) -> Config:
    raw = json.dumps({**ADDRESSES, **keys}).encode()
    return read_config(raw, _flags or {}, source=SOURCE, live=live)


def said(_flags: Any = None, *, live: Any = False, **keys: Any) -> list[str]:
    """The faults of a configuration that is good but for these keys and flags, a line each."""
    with pytest.raises(BadInput) as caught:
        config(_flags, live=live, **keys)
    return [str(fault) for fault in caught.value.faults]


class TestDefaults:
    def test_are_those_of_the_design(self):
        assert config() == Config(
            policy=Policy(target_address=TARGET, my_address=MINE),
            poll_interval_sec=D(20),
            size_threshold=D(0),
            on_stop="cancel",
            metrics_port=None,
            alert_urls_path=None,
            alert_on=ALERTS,
            alert_after_sec=D(600),
            state_path=Path("conf/state.json"),
            journal_dir=Path("conf/journal"),
            data_api_version=2,
            data_api_url="https://data-api.polymarket.com",
            gamma_api_url="https://gamma-api.polymarket.com",
            clob_url="https://clob.polymarket.com",
            geoblock_url="https://polymarket.com/api/geoblock",
            chain_id=137,
            signature_type=None,
        )
        assert Policy() == Policy(
            follow_ratio=D("0.2"), deadband_shares=D(3), slice_min=D(5), slice_max=D(25), order_ttl_sec=D(90),
            tick_size=D("0.001"), maker_only=True, max_notional_per_token=D(500), max_notional_total=D(2000),
            blacklist_token_keys=(), polls_to_grow=1, polls_to_shrink=2, settle_timeout_sec=D(300),
            fill_grace_sec=D(60), max_price_deviation=D("0.10"), manage_holdings="all", max_daily_spend=None,
            max_daily_loss=None, min_open_price=None, max_open_price=None, min_hours_to_end=None, allow_markets=(),
            deny_markets=(),
        )  # fmt: skip

    def test_null_is_left_out(self):
        assert config(**{name: None for name in KEYS if name not in ADDRESSES}) == config()

    def test_without_a_file_everything_comes_from_flags(self):
        read = read_config(None, ADDRESSES, source="flags")
        assert (read.state_path, read.journal_dir) == (Path("state.json"), Path("journal"))
        assert read.policy == config().policy

    def test_every_deciding_key_is_the_policys_and_the_other_way_round(self):
        assert [name for name, key in KEYS.items() if key.deciding] == list(fields_dict(Policy))
        assert {name for name, key in KEYS.items() if not key.deciding} == set(fields_dict(Config)) - {"policy"}

    def test_every_default_of_the_table_is_the_one_that_is_used(self):
        given_all = {name: key.default for name, key in KEYS.items() if key.default is not None}
        assert config(dict(given_all)) == config()


class TestValues:
    def test_are_exact_from_numbers_and_from_texts(self):
        assert config(follow_ratio="0.1", slice_max="7.50").policy == Policy(
            **ADDRESSES, follow_ratio=D("0.1"), slice_max=D("7.5")
        )

    def test_are_in_lower_case_where_case_means_nothing(self):
        mixed = "0x" + "aB" * 20
        read = config(target_address=mixed, blacklist_token_keys=["0xC1:0"])
        assert read.policy.target_address == mixed.lower()
        assert read.policy.blacklist_token_keys == {"0xc1:0"}

    def test_paths_in_the_file_are_relative_to_it(self):
        read = config(state_path="kept/state.json", journal_dir="/var/journal")
        assert (read.state_path, read.journal_dir) == (Path("conf/kept/state.json"), Path("/var/journal"))

    def test_paths_in_flags_are_relative_to_the_current_folder(self):
        read = config({"state_path": "kept/state.json", "journal_dir": Path("j")}, state_path="other.json")
        assert (read.state_path, read.journal_dir) == (Path("kept/state.json"), Path("j"))

    @pytest.mark.parametrize(
        "url",
        [
            "https://example.org", "https://example.org:8443/api/", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80",
            "HTTP://127.9.9.9",
        ],
    )  # fmt: skip
    def test_urls_are_https_or_on_this_machine(self, url):
        assert config(clob_url=url).clob_url == url.rstrip("/")

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.org", "http://localhost.example.org", "http://127.0.0.1.example.org", "http://10.0.0.1",
            "http://0.0.0.0", "http://127.1", "ftp://example.org", "example.org", "https://", "https:///path", "https://[::1",
            "https://example.org:port", "https://example.org/?q=1", "https://example.org#x", "https://exa mple.org",
            "https://example.org\n", "https://example.org\\x", "//example.org", "", 5, True, [],
        ],
    )  # fmt: skip
    def test_other_urls_are_faults(self, url):
        for name in ("clob_url", "data_api_url", "gamma_api_url"):
            [line] = said(**{name: url})
            assert line.startswith(f"{name}   got ")
            assert line.endswith(
                "wants an https address (plain http on this machine only), without user, query or fragment"
            )


class TestFlagsWin:
    def test_over_the_file(self):
        read = config({"follow_ratio": "0.5", "maker_only": False, "polls_to_grow": 2}, follow_ratio=0.1, slice_max=9)
        assert read.policy == Policy(
            **ADDRESSES, follow_ratio=D("0.5"), maker_only=False, polls_to_grow=2, slice_max=D(9)
        )

    def test_a_flag_that_was_not_given_does_not(self):
        assert config({"follow_ratio": None}, follow_ratio=0.1).policy.follow_ratio == D("0.1")

    def test_a_list_replaces_the_files(self):
        read = config({"blacklist_token_keys": ["0xc2:0"]}, blacklist_token_keys=["0xc1:0"])
        assert read.policy.blacklist_token_keys == {"0xc2:0"}

    def test_a_fault_is_named_by_the_flag(self):
        assert said({"follow_ratio": "much", "target_address": MINE, "polls_to_grow": Decimal("0")}) == [
            '--ratio   got "much"   wants a number',
            "--polls-to-grow   got 0   wants a whole number from 1 to 1000",
            f'--target   got "{MINE}"   wants another wallet than my_address: nobody can follow himself',
        ]

    def test_what_is_wrong_in_the_file_stays_a_fault(self):
        assert said({"follow_ratio": "0.5"}, follow_ratio="much") == ['follow_ratio   got "much"   wants a number']

    def test_a_float_is_our_own_mistake(self):
        with pytest.raises(TypeError, match="not float"):
            config({"follow_ratio": 0.5})

    def test_the_blueprints_flags_have_their_names(self):
        named = {key.flag: name for name, key in KEYS.items()}
        assert len(named) == len(KEYS)
        assert [named[flag] for flag in ("--target", "--my-address", "--ratio", "--poll", "--state")] == [
            "target_address", "my_address", "follow_ratio", "poll_interval_sec", "state_path",
        ]  # fmt: skip


class TestFaults:
    def test_come_at_once_with_the_file_and_the_consequence(self):
        raw = json.dumps({**ADDRESSES, "slice_min": 9, "slize_max": 3}).encode()
        with pytest.raises(BadInput) as caught:
            read_config(raw, {}, source="copytrade_config.json")
        assert str(caught.value) == (
            "copytrade_config.json: 2 faults, nothing was started\n"
            "  slize_max   unknown key; did you mean slice_max?\n"
            "  slice_min   got 9   wants at most 6 (2 x deadband_shares), or one fill jumps over the band and we trade "
            "back and forth"
        )

    @pytest.mark.parametrize(
        ("keys", "line"),
        [
            ({"target_address": "0x12"}, 'target_address   got "0x12"   wants an address: 0x and 40 hex digits'),
            ({"my_address": 5}, "my_address   got 5   wants an address: 0x and 40 hex digits"),
            ({"my_address": TARGET}, f'target_address   got "{TARGET}"   wants another wallet than my_address'),
            ({"follow_ratio": 0}, "follow_ratio   got 0   wants a finite number above 0"),
            ({"follow_ratio": True}, "follow_ratio   got true   wants a number"),
            ({"follow_ratio": float("nan")}, "follow_ratio   got NaN   wants a number"),
            ({"poll_interval_sec": 0}, "poll_interval_sec   got 0   wants a number above 0"),
            ({"size_threshold": -1}, "size_threshold   got -1   wants a number, at least 0"),
            (
                {"deadband_shares": -1, "slice_min": 0},
                "deadband_shares   got -1   wants a finite number that is not neg",
            ),
            ({"slice_max": 0}, "slice_max   got 0   wants a finite number above 0"),
            ({"slice_max": 4}, "slice_min   got 5 (the default)   wants at most slice_max, which is 4"),
            ({"deadband_shares": 2}, "slice_min   got 5 (the default)   wants at most 4 (2 x deadband_shares)"),
            ({"order_ttl_sec": 0}, "order_ttl_sec   got 0   wants a finite number above 0"),
            ({"settle_timeout_sec": 149}, "settle_timeout_sec   got 149   wants at least 150 (order_ttl_sec + 60)"),
            ({"order_ttl_sec": 241}, "settle_timeout_sec   got 300 (the default)   wants at least 301 (order_ttl_sec"),
            ({"tick_size": 0}, "tick_size   got 0   wants a number above 0 and at most 0.5"),
            ({"tick_size": 0.6}, "tick_size   got 0.6   wants a number above 0 and at most 0.5"),
            ({"maker_only": "yes"}, 'maker_only   got "yes"   wants true or false'),
            ({"max_notional_total": -1}, "max_notional_total   got -1   wants a finite number that is not negative"),
            ({"max_notional_per_token": []}, "max_notional_per_token   got a list   wants a number"),
            ({"blacklist_token_keys": "0xc1:0"}, 'blacklist_token_keys   got "0xc1:0"   wants a list'),
            ({"blacklist_token_keys": ["0xc1"]}, 'blacklist_token_keys[0]   got "0xc1"   wants a token key'),
            ({"polls_to_grow": 0}, "polls_to_grow   got 0   wants a whole number from 1 to 1000"),
            ({"polls_to_shrink": 1.5}, "polls_to_shrink   got 1.5   wants a whole number from 1 to 1000"),
            ({"fill_grace_sec": -1}, "fill_grace_sec   got -1   wants a finite number that is not negative"),
            ({"max_price_deviation": "-0.1"}, 'max_price_deviation   got "-0.1"   wants a finite number that is not'),
            ({"manage_holdings": "none"}, 'manage_holdings   got "none"   wants "all" or "copied"'),
            ({"max_daily_spend": -1}, "max_daily_spend   got -1   wants a number, at least 0"),
            ({"max_daily_loss": 0}, "max_daily_loss   got 0   wants a finite number above 0"),
            ({"min_open_price": 1}, "min_open_price   got 1   wants a number above 0 and below 1"),
            ({"max_open_price": 0}, "max_open_price   got 0   wants a number above 0 and below 1"),
            (
                {"min_open_price": 0.9, "max_open_price": 0.1},
                "min_open_price   got 0.9   wants at most max_open_price, which is 0.1",
            ),
            ({"min_hours_to_end": 0}, "min_hours_to_end   got 0   wants a finite number above 0"),
            ({"deny_markets": "rain"}, 'deny_markets   got "rain"   wants a list'),
            ({"allow_markets": ["rain", " "]}, 'allow_markets[1]   got " "   wants words of a title or slug'),
            ({"on_stop": "sell"}, 'on_stop   got "sell"   wants "cancel" or "keep"'),
            ({"metrics_port": 0}, "metrics_port   got 0   wants a whole number from 1 to 65535"),
            ({"alert_on": ["fills"]}, 'alert_on[0]   got "fills"   wants "start" or "stop" or "fill"'),
            ({"alert_after_sec": 0}, "alert_after_sec   got 0   wants a number above 0"),
            ({"state_path": ""}, 'state_path   got ""   wants a path'),
            ({"state_path": "a\0b"}, 'state_path   got "a\\u0000b"   wants a path'),
            ({"state_path": "~/s"}, 'state_path   got "~/s"   wants a path written out: ~ means nothing in this file'),
            ({"journal_dir": 5}, "journal_dir   got 5   wants a path"),
            ({"data_api_version": 3}, "data_api_version   got 3   wants a whole number from 1 to 2"),
            ({"chain_id": 0}, "chain_id   got 0   wants a whole number from 1 to "),
            ({"signature_type": 4}, "signature_type   got 4   wants a whole number from 0 to 3"),
            ({"folow_ratio": 1}, "folow_ratio   unknown key; did you mean follow_ratio?"),
            ({"zebra": 1}, "zebra   unknown key"),
        ],
    )
    def test_one_by_one(self, keys, line):
        found = said(**keys)
        assert len(found) == 1, found
        assert found[0].startswith(line)

    def test_what_is_missing(self):
        with pytest.raises(BadInput) as caught:
            read_config(b"{}", {}, source=SOURCE, live=True)
        assert [str(fault) for fault in caught.value.faults] == [
            "target_address   got nothing   wants an address: 0x and 40 hex digits (or --target)",
            "my_address   got nothing   wants an address: 0x and 40 hex digits (or --my-address)",
            "signature_type   got nothing   wants a whole number from 0 to 3 (or --signature-type)",
        ]

    def test_only_a_live_run_needs_to_know_the_kind_of_wallet(self):
        assert config(live=False).signature_type is None
        assert config(live=True, signature_type=2).signature_type == 2

    def test_a_rule_of_two_keys_waits_until_each_is_right_in_itself(self):
        assert said(slice_max="x", slice_min=6) == ['slice_max   got "x"   wants a number']
        assert said(slice_max=-1) == ["slice_max   got -1   wants a finite number above 0"]
        assert said(deadband_shares="x", slice_min=9) == ['deadband_shares   got "x"   wants a number']
        assert said(slice_min=30) == [
            "slice_min   got 30   wants at most slice_max, which is 25",
            "slice_min   got 30   wants at most 6 (2 x deadband_shares), or one fill jumps over the band and we trade "
            "back and forth",
        ]

    @pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b"5", b"[" * 99_999])
    def test_what_is_no_configuration_at_all(self, raw):
        with pytest.raises(BadInput, match=r"^conf/copytrade_config.json: \d faults?, nothing was started\n"):
            read_config(raw, {}, source=SOURCE)


class TestSecrets:
    """DESIGN 7: a config file that contains a key is refused without showing it."""

    @pytest.mark.parametrize(
        "name",
        [
            "private_key", "privateKey", "PRIVATE-KEY", "COPYTRADE_PRIVATE_KEY", "secret", "api_secret", "apiKey",
            "api_key", "passphrase", "password", "mnemonic", "seed_phrase", "wallet_key", "keystore_password",
        ],
    )  # fmt: skip
    def test_by_its_name(self, name):
        assert said(**{name: "hush-hush"}) == [f"{name}   got (not shown)   {NO_SECRETS}"]
        assert said(**{name: ""}) == [f"{name}   got (not shown)   {NO_SECRETS}"]

    @pytest.mark.parametrize(
        "secret", [HEX_KEY, "0x" + HEX_KEY, HEX_KEY.upper(), f" {HEX_KEY}\n", HEX_KEY[:-1], PHRASE]
    )
    @pytest.mark.parametrize("name", ["note", "state_path", "target_address", "on_stop", "clob_url", "maker_only"])
    def test_by_its_look_wherever_it_stands(self, name, secret):
        assert said(**{name: secret}) == [f"{name}   got (not shown)   {NO_SECRETS}"]

    def test_deep_inside(self):
        assert said(extra={"wallets": [{"k": HEX_KEY}, {"my_secret": 1}]}) == [
            f"extra.wallets[0].k   got (not shown)   {NO_SECRETS}",
            f"extra.wallets[1].my_secret   got (not shown)   {NO_SECRETS}",
            "extra   unknown key",
        ]

    def test_as_a_number(self):
        [line] = said(chain_id=int("7" * 77))
        assert line == f"chain_id   got (not shown)   {NO_SECRETS}"

    def test_as_the_name_of_a_key(self):
        assert said(**{HEX_KEY: 1}) == [f"(not shown)   got (not shown)   {NO_SECRETS}"]

    def test_in_a_url(self):
        assert said(clob_url="https://me:hush@example.org") == [f"clob_url   got (not shown)   {NO_SECRETS}"]

    def test_in_a_flag(self):
        assert said({"target_address": HEX_KEY}) == [f"--target   got (not shown)   {NO_SECRETS}"]

    def test_condition_ids_in_the_blacklist_are_none(self):
        token_key = f"0x{HEX_KEY}:0"
        assert config(blacklist_token_keys=[token_key]).policy.blacklist_token_keys == {token_key}
        assert config({"blacklist_token_keys": [token_key]}).policy.blacklist_token_keys == {token_key}

    def test_but_a_bare_one_is_not_shown(self):
        assert said(blacklist_token_keys=[HEX_KEY]) == [
            'blacklist_token_keys[0]   got (not shown)   wants a token key, "{condition_id}:{outcome_index}"'
        ]

    @given(
        name=st.one_of(st.sampled_from(sorted(KEYS)), st.sampled_from(["private_key", "note", HEX_KEY])),
        wrap=st.sampled_from(
            [lambda x: x, lambda x: [x], lambda x: {"a": x}, lambda x: [[{"b": [x]}]], lambda x: {x: 1}]
        ),
        secret=st.sampled_from([HEX_KEY, "0x" + HEX_KEY, f"{HEX_KEY}:0x", PHRASE]),
        broken=st.booleans(),
    )
    def test_never_reach_a_message(self, name, wrap, secret, broken):
        raw = json.dumps({**ADDRESSES, name: wrap(secret)}).encode()
        with pytest.raises(BadInput) as caught:
            read_config(raw[:-1] if broken else raw, {}, source=SOURCE)
        assert "5e5e" not in str(caught.value)
        assert "sausage" not in str(caught.value)
