"""What the resolver promises: an id that may be signed for is one that all agree on; the rest is refused in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade.adapters.http import Http
from copytrade.adapters.resolver import MarketResolver, judge, parse_clob_market, parse_gamma
from copytrade.adapters.token_ids import ctf_token_id
from copytrade.app.ports import Resolution
from copytrade.domain.model import Position
from copytrade.errors import BadAnswer
from tests.adapters.loopback import Answer, Drop, Hang, Loopback, Request
from tests.adapters.mutations import mutated_json

YES = "456322662693127080402085893806415780684933579476723864069977356327020658688"
NO = str(int(YES) + 1)
COMBO = "1628948707922995775031622509772078765406110626872621424817699628095377506304"
NEVER = Answer(json=[])


def condition(number: int) -> str:
    return f"0x{number:064x}"


def position(number: int = 1, outcome_index: int = 0, token_id: str | None = None, condition_id: str = "") -> Position:
    condition_id = condition_id or condition(number)
    return Position(
        token_key=f"{condition_id}:{outcome_index}",
        condition_id=condition_id,
        outcome_index=outcome_index,
        size=Decimal(10),
        token_id=token_id,
    )


def ctf_ids(number: int, *, neg_risk: bool = False) -> list[str]:
    return [ctf_token_id(condition(number), outcome_index, neg_risk=neg_risk) for outcome_index in (0, 1)]


def market(number: int = 1, **changes: object) -> dict[str, object]:
    """A market as Gamma tells it: its CTF ids are a text, its position ids an array."""
    neg_risk = changes.get("negRisk") is True
    return {
        "conditionId": condition(number),
        "version": "v1",
        "clobTokenIds": json.dumps(ctf_ids(number, neg_risk=neg_risk)),
        "outcomes": '["Yes", "No"]',
        "negRisk": neg_risk,
        **changes,
    }


def clob_market(number: int = 1, **changes: object) -> dict[str, object]:
    tokens = [{"token_id": token_id, "outcome": "Yes"} for token_id in ctf_ids(number)]
    return {"condition_id": condition(number), "tokens": tokens, "neg_risk": False, "version": "v1", **changes}


class Gamma:
    """Markets, open and closed, as Gamma lists them."""

    def __init__(self, *opened: dict[str, object], closed: tuple[dict[str, object], ...] = ()) -> None:
        self.opened, self.closed = list(opened), list(closed)

    def __call__(self, request: Request) -> Answer:
        markets = self.closed if request.one("closed") == "true" else self.opened
        wanted = set(request.all("condition_ids"))
        return Answer(json=[row for row in markets if row.get("conditionId") in wanted])


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def gamma() -> Iterator[Loopback]:
    with Loopback() as server:
        server.on("GET /markets", NEVER)
        yield server


@pytest.fixture
def clob() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server  # 404 for every market


def ask(
    gamma: Loopback, clob: Loopback, *calls: list[Position], clock: Any = None, steps: tuple[float, ...] = ()
) -> list[Resolution]:
    """Resolve each of `calls` in turn; the clock goes on by `steps` after each."""
    clock = clock or Clock()

    async def asked() -> list[Resolution]:
        options: dict[str, Any] = {"attempts": 2, "wait_initial_sec": 0}
        async with Http(gamma.url, **options) as one, Http(clob.url, **options) as other:
            resolver = MarketResolver(one, other, monotonic=clock)
            answers = []
            for number, call in enumerate(calls):
                answers.append(await resolver.resolve(call))
                clock.now += steps[number] if number < len(steps) else 0
            return answers

    return asyncio.run(asked())


def one(gamma: Loopback, clob: Loopback, *positions: Position) -> Resolution:
    return ask(gamma, clob, list(positions))[0]


class TestWhatAgreesIsResolved:
    @pytest.mark.parametrize("neg_risk", [False, True])
    @pytest.mark.parametrize("outcome_index", [0, 1])
    def test_a_ctf_id_is_the_one_that_the_outcome_computes_to(self, gamma, clob, neg_risk, outcome_index):
        gamma.on("GET /markets", Gamma(market(negRisk=neg_risk)))
        wants = ctf_token_id(condition(1), outcome_index, neg_risk=neg_risk)
        for own in (None, wants):
            answer = one(gamma, clob, position(1, outcome_index, own))
            assert answer == Resolution(token_ids={f"{condition(1)}:{outcome_index}": wants})

    @pytest.mark.parametrize("version", ["v2", "V2"])
    def test_a_v2_market_has_position_ids_even_where_it_has_both(self, gamma, clob, version):
        gamma.on("GET /markets", Gamma(market(version=version, positionIds=[YES, NO])))
        answer = one(gamma, clob, position(1, 0), position(1, 1, NO))
        assert answer == Resolution(token_ids={f"{condition(1)}:0": YES, f"{condition(1)}:1": NO})

    @pytest.mark.parametrize("version", ["v1", None])
    def test_a_v1_market_has_ctf_ids_even_where_it_has_both(self, gamma, clob, version):
        gamma.on("GET /markets", Gamma(market(version=version, positionIds=[YES, NO])))
        assert one(gamma, clob, position(1, 1)).token_ids == {f"{condition(1)}:1": ctf_ids(1)[1]}

    def test_condition_ids_are_compared_in_lower_case(self, gamma, clob):
        number = 0xABCDEF << 200
        gamma.on(
            "GET /markets", Answer(json=[market(number, conditionId=condition(number).upper().replace("0X", "0x"))])
        )
        assert one(gamma, clob, position(number)).token_ids == {f"{condition(number)}:0": ctf_ids(number)[0]}


class TestWhatDoesNotAgreeIsRefusedInWords:
    """Before money moves: a wrong id buys the wrong outcome, or is signed for the wrong exchange."""

    @pytest.mark.parametrize(
        ("changes", "own", "words"),
        [
            ({"clobTokenIds": json.dumps(ctf_ids(1)[::-1])}, None, "not what this outcome computes to"),
            ({"clobTokenIds": json.dumps(ctf_ids(2))}, None, "not what this outcome computes to"),
            ({"clobTokenIds": json.dumps(["111", "222"])}, None, "not what this outcome computes to"),
            ({"clobTokenIds": json.dumps(ctf_ids(1, neg_risk=True))}, None, "that of a neg-risk one"),
            ({"clobTokenIds": json.dumps(ctf_ids(1)), "negRisk": True}, None, "that of an ordinary one"),
            ({"clobTokenIds": json.dumps([YES, NO])}, None, "the mirror of a migrated market"),
            ({"clobTokenIds": json.dumps([YES, NO])}, YES, "the mirror of a migrated market"),
            ({"clobTokenIds": json.dumps([YES, NO]), "version": None}, YES, "no telling for which exchange"),
            ({"clobTokenIds": json.dumps([YES, NO]), "version": "v3"}, YES, "version 'v3'"),
            ({"version": "v3"}, None, "version 'v3'"),
            ({"version": 2}, None, "version '2'"),
            ({"version": "v2", "positionIds": ctf_ids(1)}, None, "but the id is a CTF token id"),
            ({"version": "v2", "positionIds": [NO, YES]}, None, "of outcome 1, not of 0"),
            ({"version": "v2", "positionIds": [COMBO, COMBO]}, None, "combo"),
            ({"version": "v2", "positionIds": ["0" + YES, NO]}, None, "no canonical decimal"),
            ({"clobTokenIds": '["0x12", "5"]'}, None, "no canonical decimal"),
            ({}, ctf_ids(1)[1], "the positions feed says token id"),
            ({"version": "v2", "positionIds": [YES, NO]}, ctf_ids(1)[0], "the positions feed says token id"),
        ],
    )  # fmt: skip
    def test_and_says_what(self, gamma, clob, changes, own, words):
        gamma.on("GET /markets", Gamma(market(**changes)))
        answer = one(gamma, clob, position(1, 0, own))
        assert answer.token_ids == {}
        assert words in answer.refused[f"{condition(1)}:0"]

    def test_an_outcome_that_the_market_does_not_have(self, gamma, clob):
        gamma.on("GET /markets", Gamma(market()))
        answer = one(gamma, clob, position(1, 2), position(1, 0))
        assert answer.token_ids == {f"{condition(1)}:0": ctf_ids(1)[0]}
        assert "the market has 2" in answer.refused[f"{condition(1)}:2"]

    def test_a_short_condition_id_is_the_beginning_of_its_position_ids(self, gamma, clob):
        short = f"0x{int(YES) >> 8:062x}"
        gamma.on("GET /markets", Answer(json=[market(conditionId=short, version="v2", positionIds=[YES, NO])]))
        assert one(gamma, clob, position(condition_id=short)).token_ids == {f"{short}:0": YES}
        other = f"0x{(int(YES) >> 8) + (1 << 120):062x}"
        gamma.on("GET /markets", Answer(json=[market(conditionId=other, version="v2", positionIds=[YES, NO])]))
        assert "another market" in one(gamma, clob, position(condition_id=other)).refused[f"{other}:0"]

    def test_the_vectors_of_another_copy_trader(self, shared):
        vectors = json.loads(shared("real/pmwallets_copytrade-0.4.1/position-ids.json").read_bytes())["markets"]
        for vector in vectors:
            version, token_id = vector["version"], vector["id"]
            key = "positionIds" if str(version).lower() == "v2" else "clobTokenIds"
            (found,) = parse_gamma(json.dumps([market(**{"version": version, key: [token_id]})]).encode()).values()
            accepted, words = judge(position(1, 0), found)
            if vector["expect"] == "v2":
                assert accepted == token_id, vector["name"]
            elif vector["expect"] == "ctf":  # the right shape; only, it is not the id of this market
                assert "computes to" in words, vector["name"]
            else:
                assert accepted is None, vector["name"]
                assert "computes to" not in words, vector["name"]


class TestWhoIsAsked:
    def test_each_market_once_in_batches_of_a_hundred_with_the_limit(self, gamma, clob):
        gamma.on("GET /markets", Gamma(*(market(number) for number in range(1, 251))))
        positions = [position(number, outcome_index) for number in range(1, 251) for outcome_index in (0, 1)]
        assert len(one(gamma, clob, *positions).token_ids) == 500
        assert sorted(len(request.all("condition_ids")) for request in gamma.requests) == [50, 100, 100]
        assert {request.one("limit") for request in gamma.requests} == {"100"}
        assert {request.one("closed") for request in gamma.requests} == {None}
        assert max(len(str(request.query)) for request in gamma.requests) < 20_000
        assert clob.requests == []

    def test_those_that_are_missing_are_looked_for_among_the_closed(self, gamma, clob):
        gamma.on("GET /markets", Gamma(market(1), closed=(market(2),)))
        assert len(one(gamma, clob, position(1), position(2)).token_ids) == 2
        assert [request.all("condition_ids") for request in gamma.requests] == [
            [condition(1), condition(2)],
            [condition(2)],
        ]
        assert [request.one("closed") for request in gamma.requests] == [None, "true"]
        assert clob.requests == []

    @pytest.mark.parametrize(
        "gone",
        [
            Answer(status=500),
            Answer(status=422),
            Answer(body=b"<html>"),
            Answer(json={"markets": []}),
            Answer(json=[None, 1, {}, {"conditionId": condition(1)}]),
            Answer(json=[market(clobTokenIds="[]")]),
            Answer(json=[market(clobTokenIds='["1", null]')]),
            Answer(json=[market(clobTokenIds='["')]),
            Answer(json=[market(), market(negRisk=True)]),
            Answer(json=[market(2)]),
            Drop(),
        ],
        ids=repr,
    )
    def test_the_clob_is_the_fallback(self, gamma, clob, gone):
        gamma.on("GET /markets", gone)
        clob.on(f"GET /markets/{condition(1)}", Answer(json=clob_market()))
        assert one(gamma, clob, position(1)).token_ids == {f"{condition(1)}:0": ctf_ids(1)[0]}

    def test_and_checked_like_gamma(self, gamma, clob):
        clob.on(f"GET /markets/{condition(1)}", Answer(json=clob_market(neg_risk=True)))
        clob.on(f"GET /markets/{condition(2)}", Answer(json=clob_market(1)))  # another market than was asked for
        tokens = [{"token_id": ctf_ids(3)[0], "position_id": YES}, {"token_id": ctf_ids(3)[1], "position_id": NO}]
        clob.on(f"GET /markets/{condition(3)}", Answer(json=clob_market(3, version="v2", tokens=tokens)))
        answer = one(gamma, clob, position(1), position(2), position(3))
        assert answer.token_ids == {f"{condition(3)}:0": YES}
        assert list(answer.refused) == [f"{condition(1)}:0"]
        assert "the CLOB says that the market is neg-risk" in answer.refused[f"{condition(1)}:0"]

    def test_the_clob_is_asked_only_so_often_in_one_call(self, gamma, clob):
        positions = [position(number) for number in range(1, 31)]
        ask(gamma, clob, positions, positions)
        assert len(clob.requests) == 30  # 20, and in the next call the 10 that were left
        assert len({request.path for request in clob.requests}) == 30

    def test_a_clob_in_trouble_is_not_asked_for_one_after_another(self, gamma, clob):
        clob.on("GET /markets/*", Answer(status=500))
        assert one(gamma, clob, *(position(number) for number in range(1, 31))) == Resolution()
        assert len(clob.requests) == 5 * 2  # five at once, each tried twice

    def test_combos_and_what_is_no_market_are_never_asked_for(self, gamma, clob):
        combo = f"0x{int(COMBO) >> 8:062x}"
        answer = one(gamma, clob, position(condition_id=combo), position(1, 0, COMBO), position(condition_id="0xc1"))
        assert answer.token_ids == {}
        assert list(answer.refused) == [f"{combo}:0", f"{condition(1)}:0", "0xc1:0"]
        assert gamma.requests == clob.requests == []

    def test_nothing_to_resolve_asks_nobody(self, gamma, clob):
        assert one(gamma, clob) == Resolution()
        assert gamma.requests == []

    def test_everything_down_is_an_empty_answer(self, gamma, clob):
        gamma.on("GET /markets", Drop())
        clob.on("GET /markets/*", Drop())
        assert one(gamma, clob, position(1)) == Resolution()

    def test_one_call_has_a_time_limit_and_keeps_what_it_learned(self, gamma, clob):
        gamma.on("GET /markets", Gamma(market(1)))
        clob.on("GET /markets/*", Hang())

        async def asked() -> Resolution:
            async with Http(gamma.url) as one, Http(clob.url) as other:
                return await MarketResolver(one, other, total_sec=1.0).resolve([position(1), position(2)])

        assert asyncio.run(asked()).token_ids == {f"{condition(1)}:0": ctf_ids(1)[0]}


class TestMemory:
    """Good ones are never asked for again; missing and refused ones are, but not in every cycle."""

    def test_good_ones_are_remembered(self, gamma, clob):
        gamma.on("GET /markets", Gamma(market(1)))
        first, later = ask(gamma, clob, [position(1)], [position(1), position(1, 1)], steps=(1e9,))
        assert len(gamma.requests) == 1
        assert (len(first.token_ids), len(later.token_ids)) == (1, 2)

    def test_a_market_that_is_missing_is_asked_for_again_later_and_later(self, gamma, clob):
        # After 0, 29, 31, 31 + 59, 31 + 61 seconds: asked, not, asked, not, asked.
        answers = ask(gamma, clob, *[[position(1)]] * 5, steps=(29, 2, 59, 2))
        assert answers == [Resolution()] * 5
        assert len(clob.requests) == 3

    def test_the_wait_has_an_upper_end(self, gamma, clob):
        ask(gamma, clob, *[[position(1)]] * 20, steps=(301,) * 20)
        assert len(clob.requests) == 20

    def test_it_is_found_as_soon_as_it_is_there(self, gamma, clob):
        listed = Gamma(market(1, clobTokenIds="[]"))
        gamma.on("GET /markets", listed)

        class Lists(Clock):
            def __call__(self) -> float:
                if self.now > 1000:
                    listed.opened = [market(1)]
                return self.now

        first, later = ask(gamma, clob, [position(1)], [position(1)], clock=Lists(), steps=(31,))
        assert (first, later) == (Resolution(), Resolution(token_ids={f"{condition(1)}:0": ctf_ids(1)[0]}))

    def test_a_refusal_holds_without_asking_and_is_looked_at_again_later(self, gamma, clob):
        gamma.on("GET /markets", Answer(json=[market(1, version="v3")]), Answer(json=[market(1)]))
        answers = ask(gamma, clob, *[[position(1)]] * 3, steps=(299, 2))
        assert [bool(answer.refused) for answer in answers] == [True, True, False]
        assert answers[2].token_ids == {f"{condition(1)}:0": ctf_ids(1)[0]}
        assert len(gamma.requests) == 2

    def test_a_service_that_was_down_is_asked_in_the_next_cycle(self, gamma, clob):
        gamma.on("GET /markets", Drop(), Drop(), Answer(json=[market(1)]))
        clob.on("GET /markets/*", Drop())
        first, next_one = ask(gamma, clob, [position(1)], [position(1)])
        assert (len(first.token_ids), len(next_one.token_ids)) == (0, 1)


class TestRealAnswers:
    """Every market that the real Gamma listed resolves, both outcomes, each id computed."""

    @pytest.mark.parametrize(
        ("name", "count"),
        [
            ("real/nexiumito-polycopy/gamma_market_sample.json", 1),
            ("real/nexiumito-polycopy/gamma_top_markets_sample.json", 20),
            ("real/nexiumito-polycopy/gamma_markets_categories_sample.json", 50),
            ("real/nexiumito-polycopy/gamma_market_crypto_fees_sample.json", 1),
        ],
    )
    def test_gamma(self, shared, name, count):
        found = parse_gamma(shared(name).read_bytes())
        assert len(found) == count
        for condition_id, real in found.items():
            for outcome_index in (0, 1):
                token_id, words = judge(position(condition_id=condition_id, outcome_index=outcome_index), real)
                assert token_id == real.token_ids[outcome_index], words

    def test_the_clob(self, shared):
        raw = shared("recorded/clob_market_closed_binary_accepting_false.json").read_bytes()
        real = parse_clob_market(raw)
        assert real is not None
        token_id, words = judge(position(condition_id=real.condition_id), real)
        assert token_id == json.loads(raw)["tokens"][0]["token_id"], words


class TestMangledAnswers:
    """Whatever an answer is turned into, it is read or a BadAnswer, and no wrong id comes out of it."""

    @settings(max_examples=200)
    @given(raw=mutated_json([market(1), market(2, negRisk=True)]), outcome_index=st.integers(0, 1))
    def test_gamma(self, raw, outcome_index):
        try:
            found = parse_gamma(raw)
        except BadAnswer:
            return
        for number in (1, 2):
            if condition(number) in found:
                token_id, words = judge(position(number, outcome_index), found[condition(number)])
                ids = (ctf_ids(number)[outcome_index], ctf_ids(number, neg_risk=True)[outcome_index])
                assert token_id is None or token_id in ids
                assert bool(words) == (token_id is None)

    @settings(max_examples=200)
    @given(raw=mutated_json(clob_market(1)), outcome_index=st.integers(0, 1))
    def test_the_clob(self, raw, outcome_index):
        try:
            found = parse_clob_market(raw)
        except BadAnswer:
            return
        if found is not None and found.condition_id == condition(1):
            token_id, _ = judge(position(1, outcome_index), found)
            assert token_id in (None, ctf_ids(1)[outcome_index], ctf_ids(1, neg_risk=True)[outcome_index])
