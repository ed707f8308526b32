"""What we may hold, as an interval (DESIGN 4). `!` is a warning. P is `feed`, L = base + bought - sold the `ledger`."""

from decimal import Decimal

import pytest
from attrs import evolve

from copytrade.domain.exposure import exposure, needs_witness, restarts_from
from copytrade.domain.plan import plan, tokens_to_witness
from tests.domain.notation import held, key_of, snapshot


@pytest.mark.parametrize(
    ("world", "interval"),
    [
        # a token without a ledger
        ("feed 80", "80"),
        ("want 5", "0"),
        # settled: P = L, within 0.01
        ("feed 80, ledger 60+20 age 0", "80"),
        ("feed 79.99, ledger 60+20 age 0", "79.99"),
        ("feed 79.989999, ledger 60+20 age 0", "79.989999..80"),
        ("feed 80.01, ledger 60+20 age 0", "80.01"),
        ("feed 75, ledger 60+20-5 age 0", "75"),
        # on its way: base - sold <= P <= base + bought
        ("feed 60, ledger 60+20 age 0", "60..80"),
        ("feed 70, ledger 60+20 age 0", "70..80"),
        ("feed 60, ledger 60-20 age 0", "40..60"),
        ("feed 60, ledger 60+20-5 age 0", "60..75"),
        ("feed 80, ledger 60+20-5 age 0", "75..80"),
        ("feed 80.01, ledger 60+20-5 age 0", "75..80.01"),
        ("feed 55, ledger 60+20-5 age 0", "55..75"),
        ("feed 54.99, ledger 60+20-5 age 0", "54.99..75"),
        ("ledger 0+20 age 0, want 5", "0..20"),  # not listed yet
        # unexplained: the hull of P - sold, P + bought and L
        ("feed 80.02, ledger 60+20-5 age 0", "75..100.02"),
        ("feed 54.98, ledger 60+20-5 age 0", "49.98..75"),
        ("feed 80.02, ledger 60+20 age 0", "80..100.02"),
        ("feed 200, ledger 60+20-5 age 0", "75..220"),
        ("feed 85, ledger 60+20-5 age 0", "75..105"),  # base + bought + sold, and base - bought - sold
        ("feed 35, ledger 60+20-5 age 0", "30..75"),
        ("feed 10, ledger 60+20-5 age 0", "5..75"),
        ("ledger 100-20 age 0", "0..80"),  # gone from the list, and lo is never below 0
        # quiet: settle_timeout_sec without an own fill, and still P is not L
        ("feed 60, ledger 60+20 age 299", "60..80"),
        ("feed 60, ledger 60+20 age 300", "60..80 !"),
        ("feed 60, ledger 60+20", "60..80 !"),  # moved_at left out means long ago
        ("feed 200, ledger 60+20-5 age 300", "75..200 !"),  # P and L: nothing can be on its way any more
        ("feed 200, ledger 60+20-5 age 299.999", "75..220"),
        ("settle 150, feed 60, ledger 60+20 age 150", "60..80 !"),
        ("feed 60, ledger 60+20 age 300, unsettled", "60..80"),  # a trade may still fail
        ("feed 60, ledger 60+20 age 300, seen 60", "60..80 !"),  # P = seen, within 0.01
        ("feed 60, ledger 60+20 age 300, seen 60.01", "60..80 !"),
        ("feed 60, ledger 60+20 age 300, seen 60.02", "60..80"),  # the feed is moving
        ("feed 60, ledger 60+20 age 300, seen 59.98", "60..80"),
        ("feed 200, ledger 60+20-5 age 300, seen 60", "75..220"),
        ("ledger 80 age 300", "0..80 !"),  # a feed of another wallet can never make us buy again
        # ... so the exchange's own balance is asked. It agrees with P
        ("feed 60, ledger 60+20 age 300, witness 60", "60"),
        ("feed 60, ledger 60+20 age 300, witness 60.01", "60"),
        ("feed 60, ledger 60+20 age 300, witness 59.99", "60"),
        ("ledger 80 age 300, witness 0", "0"),
        # ... or does not: the hull of P, L and the witness
        ("feed 60, ledger 60+20 age 300, witness 60.02", "60..80 !"),
        ("feed 60, ledger 60+20 age 300, witness 80", "60..80 !"),
        ("feed 60, ledger 60+20 age 300, witness 100", "60..100 !"),
        ("feed 60, ledger 60+20 age 300, witness 10", "10..80 !"),
        # it counts in the quiet only
        ("feed 60, ledger 60+20 age 299, witness 60", "60..80"),
        ("feed 80, ledger 60+20 age 300, witness 10", "80"),  # P = L needs none
        # orders in doubt widen it: hi by the rests of BUYs, lo by the rests of SELLs
        ("feed 80, doubt BUY 10 @ 0.5", "80..90"),
        ("feed 80, doubt BUY 10 @ 0.5, matched 4", "80..86"),
        ("feed 80, doubt SELL 10 @ 0.5", "70..80"),
        ("feed 80, doubt SELL 10 @ 0.5, matched 4", "74..80"),
        ("feed 80, doubt SELL 10 @ 0.5 #s, doubt BUY 7 @ 0.5 #b, doubt BUY 1 @ 0.5 #c", "70..88"),
        ("feed 5, doubt SELL 10 @ 0.5", "0..5"),  # never below 0
        ("feed 80, gone BUY 10 @ 0.5", "80..90"),
        ("feed 60, ledger 60+20 age 0, doubt BUY 10 @ 0.5", "60..90"),
        # with one in doubt, nothing is quiet
        ("feed 60, ledger 60+20 age 300, doubt BUY 10 @ 0.5", "60..90"),
        ("feed 60, ledger 60+20 age 300, gone SELL 10 @ 0.5, witness 60", "50..80"),
        ("feed 200, ledger 60+20-5 age 300, gone BUY 1 @ 0.5", "75..221"),
        # live orders do not widen it; one that is both listed and in doubt counts as listed, unless gone
        ("feed 80, live BUY 10 @ 0.5", "80"),
        ("feed 80, live BUY 10 @ 0.5 #x, doubt BUY 10 @ 0.5 #x", "80"),
        ("feed 80, live BUY 10 @ 0.5 #x, gone BUY 10 @ 0.5 #x", "80..90"),
        ("feed 80, foreign BUY 10 @ 0.5", "80"),
    ],
)
def test_exposure(world, interval):
    assert held(world) == interval


@pytest.mark.parametrize(
    ("reported", "ledger", "witness", "unsure"),
    [
        ("80", None, None, "0"),
        ("80", "60+20 age 0", None, "0"),
        ("80.01", "60+20 age 0", None, "0.01"),  # a fill of a cent may not have reached the feed
        ("79.99", "60+20 age 0", None, "0"),
        ("60", "60+20 age 0", None, "0"),
        ("200", "60+20 age 0", None, "0"),
        ("60", "60+20 age 300", "60", "0"),
        ("60", "60+20 age 300", "59.99", "0.01"),
        ("60", "60+20 age 300", "60.01", "0"),
        ("60", "60+20 age 300", "80", "0"),
    ],
)
def test_what_of_it_is_unsure_to_the_cent(reported, ledger, witness, unsure):
    clauses = [f"feed {reported}", ledger and f"ledger {ledger}", witness and f"witness {witness}"]
    facts = snapshot(", ".join(filter(None, clauses)))
    key, doubts = key_of("A"), snapshot("doubt BUY 10 @ 0.5").in_doubt["10"]
    told = (Decimal(reported), facts.ledgers.get(key))
    held = exposure(*told, (), facts.witnesses.get(key), now=facts.now, policy=facts.policy)
    assert held.unsure == Decimal(unsure)
    if witness is None:
        in_doubt = exposure(*told, doubts, now=facts.now, policy=facts.policy)
        assert (in_doubt.lo, in_doubt.hi, in_doubt.unsure) == (held.lo, held.hi + 10, held.unsure)


def test_a_moment_near_the_epoch_is_long_ago_too_where_moved_at_is_left_out():
    early = evolve(snapshot("feed 60, ledger 60+20"), now=Decimal(100))
    assert plan(early).decisions[0].warning
    moved = evolve(snapshot("feed 60, ledger 60+20 age 1765999999"), now=Decimal(300))  # it moved at 1
    assert not plan(moved).decisions[0].warning


@pytest.mark.parametrize(
    ("world", "asked", "base"),
    [
        ("feed 60, ledger 60+20 age 300", True, None),
        ("feed 60, ledger 60+20 age 299", False, None),
        ("feed 60, ledger 60+20 age 300, witness 60", True, "60"),
        ("feed 60, ledger 60+20 age 300, witness 60.01", True, "60"),
        ("feed 60, ledger 60+20 age 300, witness 60.02", True, None),
        ("feed 60, ledger 60+20 age 299, witness 60", False, None),
        ("feed 80, ledger 60+20 age 300", False, "80"),  # P = L is agreement enough
        ("feed 80, ledger 60+20 age 299", False, None),
        ("feed 80, ledger 60+20 age 300, unsettled", False, None),
        ("feed 80, ledger 60+20 age 300, seen 79", False, None),
        ("feed 60, ledger 60+20 age 300, unsettled", False, None),
        ("feed 60, ledger 60+20 age 300, seen 59", False, None),
        ("feed 60, ledger 60+20 age 300, doubt BUY 1 @ 0.5", False, None),
        ("feed 80, ledger 60+20 age 300, gone BUY 1 @ 0.5", False, None),
        ("feed 60, ledger 60+20 age 300, live BUY 1 @ 0.5", True, None),
        ("ledger 80 age 300, want 1", True, None),
        ("feed 79.99, ledger 80 age 300", False, "79.99"),
        ("feed 80.01, ledger 80 age 300", False, "80"),  # a cent too many could be sold and is not there
        ("feed 60.01, ledger 60+20 age 300, witness 60", True, "60"),
        ("feed 79.98, ledger 80 age 300", True, None),
    ],
)
def test_who_is_asked_for_a_witness_and_when_a_ledger_starts_anew(world, asked, base):
    facts = snapshot(world)
    key = key_of("A")
    reported = facts.mine.positions[0].size if facts.mine.positions else Decimal(0)
    ledger, now, policy, in_doubt = facts.ledgers[key], facts.now, facts.policy, bool(facts.in_doubt)
    assert needs_witness(reported, ledger, in_doubt=in_doubt, now=now, policy=policy) is asked
    witness = facts.witnesses.get(key)
    restart = restarts_from(reported, ledger, witness, in_doubt=in_doubt, now=now, policy=policy)
    assert restart == (None if base is None else Decimal(base))
    assert tokens_to_witness(facts) == ((key,) if asked else ())


def test_nothing_is_asked_of_a_token_that_we_never_traded():
    facts = snapshot("feed 60")
    assert not needs_witness(Decimal(60), None, in_doubt=False, now=facts.now, policy=facts.policy)


@pytest.mark.parametrize(
    ("world", "keys"),
    [
        ("feed 60", ""),  # no ledger
        ("no id, feed 60, ledger 60+20", ""),  # whose balance would be asked?
        ("id 0x0a, feed 60, ledger 60+20", ""),  # never looked up (API.md)
        ("B: feed 60, ledger 60+20 | A: feed 1, ledger 60+20 | C: feed 80, ledger 60+20", "0xa:0 0xb:0"),
        ("feed 60, ledger 60+20, orders unread", "0xa:0"),
    ],
)
def test_tokens_to_witness(world, keys):
    assert " ".join(tokens_to_witness(snapshot(world))) == keys


def test_a_broken_answer_about_my_positions_asks_for_no_witness():
    facts = snapshot("feed 60, ledger 60+20")
    assert tokens_to_witness(evolve(facts, mine=evolve(facts.mine, incomplete=True))) == ()
    assert tokens_to_witness(evolve(facts, mine=evolve(facts.mine, ok=False))) == ()
