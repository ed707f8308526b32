"""The rules that a sane configuration keeps (DESIGN 5, last lines, and 7), each from both sides of its border."""

from decimal import Decimal

import pytest
from attrs import fields_dict

from copytrade.domain.policy import Policy, faults, faults_of

GOOD = [
    {"slice_min": 6, "deadband_shares": 3},  # at most 2 x deadband_shares
    {"slice_min": 0, "deadband_shares": 0},
    {"slice_min": 5, "slice_max": 5},
    {"settle_timeout_sec": 150, "order_ttl_sec": 90},  # at least order_ttl_sec + 60
    {"follow_ratio": "0.000001"},
    {"follow_ratio": 3},
    {"tick_size": "0.5"},
    {"polls_to_grow": 1, "polls_to_shrink": 1},
    {"polls_to_grow": 1000, "polls_to_shrink": 1000},
    {"max_notional_per_token": 0, "max_notional_total": 0, "max_price_deviation": 0, "fill_grace_sec": 0},
    {"manage_holdings": "copied"},
    {"target_address": "0xaa", "my_address": "0xbb"},
    {"target_address": "", "my_address": ""},
    {"max_daily_spend": 0, "max_daily_loss": "0.01", "min_hours_to_end": "0.5"},
    {"min_open_price": "0.1", "max_open_price": "0.1"},
]
BAD = [
    ({"slice_min": "6.01", "deadband_shares": 3}, ["slice_min"]),
    ({"slice_min": "0.01", "deadband_shares": 0}, ["slice_min"]),
    ({"slice_min": "5.01", "slice_max": 5}, ["slice_min"]),
    ({"slice_min": 9, "slice_max": 5}, ["slice_min", "slice_min"]),
    ({"settle_timeout_sec": "149.99", "order_ttl_sec": 90}, ["settle_timeout_sec"]),
    ({"follow_ratio": 0}, ["follow_ratio"]),
    ({"follow_ratio": "NaN"}, ["follow_ratio"]),
    ({"follow_ratio": "Infinity"}, ["follow_ratio"]),
    ({"slice_min": "NaN"}, ["slice_min"]),  # what is no number is told, not compared
    ({"slice_max": "NaN"}, ["slice_max"]),
    ({"order_ttl_sec": "NaN"}, ["order_ttl_sec"]),
    ({"slice_max": 0, "slice_min": 0}, ["slice_max"]),
    ({"order_ttl_sec": 0}, ["order_ttl_sec"]),
    ({"settle_timeout_sec": 0}, ["settle_timeout_sec", "settle_timeout_sec"]),
    ({"tick_size": 0}, ["tick_size"]),
    ({"tick_size": "0.51"}, ["tick_size"]),
    ({"tick_size": "NaN"}, ["tick_size"]),
    ({"polls_to_grow": 0}, ["polls_to_grow"]),
    ({"polls_to_shrink": 0}, ["polls_to_shrink"]),
    ({"polls_to_shrink": 1001}, ["polls_to_shrink"]),
    ({"deadband_shares": "-0.01", "slice_min": 0}, ["deadband_shares", "slice_min"]),
    ({"slice_min": "-0.01"}, ["slice_min"]),
    ({"max_notional_per_token": -1}, ["max_notional_per_token"]),
    ({"max_notional_total": "-0.01"}, ["max_notional_total"]),
    ({"max_notional_total": "Infinity"}, ["max_notional_total"]),
    ({"max_price_deviation": "-0.01"}, ["max_price_deviation"]),
    ({"fill_grace_sec": -1}, ["fill_grace_sec"]),
    ({"max_daily_spend": "-0.01"}, ["max_daily_spend"]),
    ({"max_daily_spend": "Infinity"}, ["max_daily_spend"]),
    ({"max_daily_loss": 0}, ["max_daily_loss"]),  # a loss of nothing is always reached
    ({"min_hours_to_end": 0}, ["min_hours_to_end"]),
    ({"min_open_price": 0, "max_open_price": 1}, ["min_open_price", "max_open_price"]),
    ({"min_open_price": 1}, ["min_open_price"]),
    ({"max_open_price": 0}, ["max_open_price"]),
    ({"min_open_price": "NaN"}, ["min_open_price"]),
    ({"min_open_price": "0.9", "max_open_price": "0.1"}, ["min_open_price"]),
    ({"manage_holdings": "mine"}, ["manage_holdings"]),
    ({"target_address": "0xAA", "my_address": "0xaa"}, ["target_address"]),  # the target is not us, in any spelling
    (
        {"follow_ratio": -1, "tick_size": 1, "polls_to_grow": 0, "manage_holdings": "", "slice_max": 1},
        ["follow_ratio", "tick_size", "polls_to_grow", "manage_holdings", "slice_min"],  # every fault at once
    ),
]


def settings(given):
    texts = ("manage_holdings", "target_address", "my_address")
    counts = ("polls_to_grow", "polls_to_shrink")
    return {key: value if key in (*texts, *counts) else Decimal(value) for key, value in given.items()}


@pytest.mark.parametrize("given", GOOD)
def test_a_sane_policy_has_no_fault(given):
    assert list(faults(Policy(**settings(given)))) == []
    assert list(faults_of(settings(given))) == []


@pytest.mark.parametrize(("given", "keys"), BAD)
def test_a_policy_that_breaks_a_rule_cannot_be_built_and_tells_every_fault(given, keys):
    assert sorted(key for key, _, _ in faults_of(settings(given))) == sorted(keys)
    with pytest.raises(ValueError, match="|".join(keys)):
        Policy(**settings(given))


@pytest.mark.parametrize(
    ("given", "both"),
    [
        ({"slice_min": 9}, ("slice_min", "deadband_shares")),
        ({"slice_min": 5, "slice_max": 4}, ("slice_min", "slice_max")),
        ({"settle_timeout_sec": 100}, ("settle_timeout_sec", "order_ttl_sec")),
    ],
)
def test_a_rule_of_two_keys_names_both(given, both):
    ((key, got, wants),) = faults_of(settings(given))
    assert (key, got) == (both[0], str(next(iter(given.values()))))
    assert both[1] in wants


def test_the_defaults_are_those_of_design_7():
    assert Policy() == Policy(
        target_address="",
        my_address="",
        follow_ratio=Decimal("0.2"),
        deadband_shares=Decimal(3),
        slice_min=Decimal(5),
        slice_max=Decimal(25),
        order_ttl_sec=Decimal(90),
        tick_size=Decimal("0.001"),
        maker_only=True,
        max_notional_per_token=Decimal(500),
        max_notional_total=Decimal(2000),
        blacklist_token_keys=frozenset(),
        polls_to_grow=1,
        polls_to_shrink=2,
        settle_timeout_sec=Decimal(300),
        fill_grace_sec=Decimal(60),
        max_price_deviation=Decimal("0.10"),
        manage_holdings="all",
        max_daily_spend=None,
        max_daily_loss=None,
        min_open_price=None,
        max_open_price=None,
        min_hours_to_end=None,
        allow_markets=frozenset(),
        deny_markets=frozenset(),
    )
    assert len(fields_dict(Policy)) == 25, "a new setting needs its default here"


def test_addresses_and_token_keys_are_compared_in_lower_case():
    policy = Policy(target_address="0xAB", my_address="0xCD", blacklist_token_keys=["0xC1:0", "0xc1:0"])
    assert (policy.target_address, policy.my_address) == ("0xab", "0xcd")
    assert policy.blacklist_token_keys == frozenset({"0xc1:0"})
    markets = Policy(allow_markets=["0xC1", "A-Slug"], deny_markets=["0xC2", "B-Slug"])
    assert markets.allow_markets == frozenset({"0xc1", "a-slug"})
    assert markets.deny_markets == frozenset({"0xc2", "b-slug"})


@pytest.mark.parametrize(
    ("grow", "shrink", "remembered"), [(1, 2, 3), (1, 1, 1), (1, 3, 5), (4, 2, 3), (5, 2, 4), (9, 2, 8)]
)
def test_as_many_polls_are_remembered_as_may_ever_count(grow, shrink, remembered):
    assert Policy(polls_to_grow=grow, polls_to_shrink=shrink).polls_remembered == remembered
