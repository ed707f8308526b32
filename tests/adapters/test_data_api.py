"""What the positions feed promises: every row that can be trusted, and never more sure than the answer was."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from copytrade.adapters import data_api
from copytrade.adapters.data_api import DataApi, parse_status, parse_v1_page, parse_v2_page
from copytrade.adapters.http import Http
from copytrade.adapters.token_ids import ctf_token_id
from copytrade.domain.model import Position, Positions
from copytrade.errors import BadAnswer
from tests.adapters.loopback import Answer, Cut, Drop, Hang, Loopback, Request
from tests.adapters.mutations import mutated_json

WALLET = "0x" + "AB" * 20
BINARY_YES = "456322662693127080402085893806415780684933579476723864069977356327020658688"
BINARY_NO = str(int(BINARY_YES) + 1)
COMBO = "1628948707922995775031622509772078765406110626872621424817699628095377506304"


def condition(number: int) -> str:
    return f"0x{number:064x}"


def row(number: int = 1, outcome_index: object = 0, **changes) -> dict[str, object]:
    """A version-2 row of market `number`; a change to None takes the field away."""
    known = outcome_index if isinstance(outcome_index, int) and 0 <= outcome_index < 256 else 0
    fields = {
        "condition_id": condition(number),
        "outcome_index": outcome_index,
        "token_id": None if "token_id" in changes else ctf_token_id(condition(number), known, neg_risk=False),
        "current_size": 10.5,
        "avg_price": 0.4,
        "current_price": 0.5,
        "status": "OPEN",
        "redeemable": False,
        "title": "A market",
        "slug": "a-market",
        "end_date": "2026-12-31",
        **changes,
    }
    return {key: value for key, value in fields.items() if value is not None}


V1_NAMES = {"condition_id": "conditionId", "outcome_index": "outcomeIndex", "token_id": "asset", "current_size": "size"}


def row_v1(number: int = 1, outcome_index: object = 0, **changes) -> dict[str, object]:
    return {V1_NAMES.get(key, key): value for key, value in row(number, outcome_index, **changes).items()}


def page(*rows: object, more: object = False, cursor: object = None) -> Answer:
    return Answer(json={"data": list(rows), "pagination": {"has_more": more, "next_cursor": cursor}})


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


def ask(
    server: Loopback, *, times: int = 1, wallet: str = WALLET, timeout_sec: float = 30, **options: Any
) -> Positions:
    async def asked() -> Positions:
        answer = Positions(ok=False)
        async with Http(
            server.url, timeout_sec=timeout_sec, retry_total_sec=60, attempts=2, wait_initial_sec=0
        ) as http:
            feed = DataApi(http, **options)
            for _ in range(times):
                answer = await feed.positions(wallet)
        return answer

    return asyncio.run(asked())


def sizes(answer: Positions) -> dict[str, Decimal]:
    return {position.token_key: position.size for position in answer.positions}


class TestVersion2:
    """Walked by cursor; has_more alone is the end."""

    def test_it_asks_for_everything_that_is_held(self, server):
        server.on("GET /v2/positions", page())
        assert ask(server) == Positions()
        assert server.requests[0].query == (
            ("user", WALLET.lower()),
            ("status", "OPEN"),
            ("limit", "1000"),
            ("filter_type", "TOKENS"),
            ("filter_amount", "0"),
            ("include_archived", "true"),
        )

    def test_short_and_empty_pages_are_no_end(self, server):
        server.on("GET /v2/positions", page(row(1), more=True, cursor="a"), page(more=True, cursor="b"), page(row(2)))
        answer = ask(server)
        assert answer.complete
        assert sizes(answer) == {f"{condition(1)}:0": Decimal("10.5"), f"{condition(2)}:0": Decimal("10.5")}
        assert [request.one("cursor") for request in server.requests] == [None, "a", "b"]
        assert {request.one("user") for request in server.requests} == {WALLET.lower()}

    def test_a_cursor_beside_has_more_false_does_not_go_on(self, server):
        server.on("GET /v2/positions", page(row(1), more=False, cursor="left-over"))
        assert ask(server).complete
        assert len(server.requests) == 1

    def test_every_field_arrives(self, server):
        odd = condition(7).upper().replace("0X", "0x")
        server.on("GET /v2/positions", page(row(7, condition_id=odd, current_size="12.340000000000001")))
        assert ask(server).positions == (
            Position(
                token_key=f"{condition(7)}:0",
                condition_id=condition(7),
                outcome_index=0,
                size=Decimal("12.340000000000001"),
                avg_price=Decimal("0.4"),
                token_id=ctf_token_id(condition(7), 0, neg_risk=False),
                current_price=Decimal("0.5"),
                slug="a-market",
                title="A market",
                end_date="2026-12-31",
            ),
        )

    @pytest.mark.parametrize(
        ("second", "why"),
        [
            (Answer(status=500), "a page that fails"),
            (Answer(status=400, json={"error": "bad cursor"}), "a cursor that is refused"),
            (Answer(status=404), "even if it says that it was never served"),
            (Answer(body=b"<html>challenge</html>"), "a page that is no JSON"),
            (Answer(json=[]), "the other version's form, in the middle of a walk"),
            (Answer(json={"data": {"0": row(2)}}), "an object instead of a list"),
            (Answer(json={"data": None, "pagination": {"has_more": False}}), "nothing instead of a list"),
            (Drop(), "a connection that is dropped"),
            (Cut(), "a page that is cut short"),
            (page(row(1)), "the same token again: the list moved"),
            (page(row(2), more=True, cursor="a"), "a cursor that was there before"),
            (page(row(2), more=True, cursor=None), "more, but no cursor"),
            (page(row(2), more=True, cursor=""), "more, but an empty cursor"),
            (page(row(2), more="false"), "has_more that is no truth value"),
            (Answer(json={"data": [row(2)]}), "no pagination at all"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_later_page_that_is_not_good_leaves_the_answer_incomplete(self, server, second, why):
        server.on("GET /v2/positions", page(row(1), more=True, cursor="a"), second)
        answer = ask(server)
        assert (answer.ok, answer.incomplete) == (True, True), why
        assert f"{condition(1)}:0" in sizes(answer)

    @pytest.mark.parametrize(
        ("first", "why"),
        [
            (Answer(status=500), "a service in trouble"),
            (Answer(status=503), "a service that is down"),
            (Answer(status=429), "a limit, without Retry-After"),
            (Answer(status=400), "a request that it does not understand"),
            (Answer(status=403, body=b"<html>blocked</html>"), "a fence"),
            (Answer(body=b"<html>challenge</html>"), "HTML with a good status"),
            (Answer(body=b""), "nothing"),
            (Answer(json="rows"), "a text"),
            (Answer(json={"data": {"0": row(2)}, "pagination": {"has_more": False}}), "an object instead of a list"),
            (Answer(json={"error": "try later", "retryable": True}), "an error with a good status"),
            (page(1, None, "x"), "rows, and none that is one"),
            (Drop(), "a connection that is dropped"),
            (Hang(), "no answer"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_first_page_that_gives_nothing_usable_is_not_ok(self, server, first, why):
        server.on("GET /v2/positions", first)
        server.on("GET /positions", Answer(json=[row_v1()]))
        assert ask(server, timeout_sec=0.2 if first == Hang() else 30) == Positions(ok=False), why
        assert server.asked("GET /positions") == []  # trouble is no reason to change the version

    def test_pages_without_an_end_are_walked_only_so_far(self, server):
        def endless(request: Request) -> Answer:
            number = len(server.requests)
            return page(row(number), more=True, cursor=f"c{number}")

        server.on("GET /v2/positions", endless)
        answer = ask(server)
        assert (answer.ok, answer.incomplete) == (True, True)
        assert len(server.requests) == 50

    def test_the_pages_have_a_time_limit_together(self, server):
        server.on("GET /v2/positions", page(row(1), more=True, cursor="a"), Hang())
        answer = ask(server, walk_total_sec=1.0)
        assert (answer.ok, answer.incomplete, len(answer.positions)) == (True, True, 1)


class TestVersion1:
    """Walked by offset; a page shorter than the limit is the end."""

    def test_it_asks_for_everything_that_is_held(self, server):
        server.on("GET /positions", Answer(json=[]))
        assert ask(server, version=1) == Positions()
        assert server.requests[0].query == (
            ("user", WALLET.lower()),
            ("sizeThreshold", "0"),
            ("includeArchived", "true"),
            ("limit", "500"),
            ("offset", "0"),
        )

    def test_full_pages_go_on(self, server):
        server.on("GET /positions", lambda request: Answer(json=rows_v1(request, total=1200)))
        answer = ask(server, version=1)
        assert answer.complete
        assert len(answer.positions) == 1200
        assert [request.one("offset") for request in server.requests] == ["0", "500", "1000"]

    def test_a_full_last_page_has_an_empty_one_after_it(self, server):
        server.on("GET /positions", lambda request: Answer(json=rows_v1(request, total=500)))
        assert ask(server, version=1).complete
        assert len(server.requests) == 2

    def test_a_full_page_at_the_offset_cap_is_no_end(self, server):
        server.on("GET /positions", lambda request: Answer(json=rows_v1(request, total=20_000)))
        answer = ask(server, version=1)
        assert (answer.ok, answer.incomplete, len(answer.positions)) == (True, True, 10_500)
        assert server.requests[-1].one("offset") == "10000"

    def test_a_short_page_at_the_offset_cap_is_one(self, server):
        server.on("GET /positions", lambda request: Answer(json=rows_v1(request, total=10_499)))
        answer = ask(server, version=1)
        assert (answer.complete, len(answer.positions)) == (True, 10_499)

    @pytest.mark.parametrize(
        "bad", [Answer(json={"rows": []}), Answer(body=b"<html>"), Answer(status=500), Drop()], ids=repr
    )
    def test_a_page_that_is_no_list(self, server, bad):
        server.on("GET /positions", bad)
        assert ask(server, version=1) == Positions(ok=False)
        full = [row_v1(number, asset=None, token_id=None) for number in range(500)]
        server.on("GET /positions", Answer(json=full), bad)
        answer = ask(server, version=1)
        assert (answer.ok, answer.incomplete, len(answer.positions)) == (True, True, 500)

    def test_a_page_that_comes_again_is_a_list_that_moved(self, server):
        full = [row_v1(number, token_id=None) for number in range(500)]
        server.on("GET /positions", Answer(json=full), Answer(json=full), Answer(json=[]))
        answer = ask(server, version=1)
        assert (answer.ok, answer.incomplete, len(answer.positions)) == (True, True, 500)


def rows_v1(request: Request, *, total: int) -> list[object]:
    """A page of a list of `total` rows without token ids, as a row of version 1 may be."""
    offset, limit = int(request.one("offset") or 0), int(request.one("limit") or 0)
    return [row_v1(number, token_id=None) for number in range(offset, min(offset + limit, total))]


class TestFallingBack:
    """Where version 2 is not served when the run begins, version 1 is used for the rest of it, and the log says so."""

    @pytest.mark.parametrize("status", [404, 410, 501])
    def test_a_version_that_is_not_there(self, server, status):
        server.on("GET /v2/positions", Answer(status=status))
        server.on("GET /positions", Answer(json=[row_v1()]))
        with capture_logs() as logs:
            answer = ask(server, times=3)
        assert answer.complete
        assert sizes(answer) == {f"{condition(1)}:0": Decimal("10.5")}
        assert len(server.asked("GET /v2/positions")) == 1
        assert len(server.asked("GET /positions")) == 3
        assert [(entry["log_level"], "version 1" in entry["event"]) for entry in logs] == [("warning", True)]

    @pytest.mark.parametrize("other", [[], {"rows": []}], ids=repr)
    def test_an_answer_in_another_form(self, server, other):
        server.on("GET /v2/positions", Answer(json=other))
        server.on("GET /positions", Answer(json=[row_v1()]))
        assert ask(server, times=2).complete
        assert len(server.asked("GET /v2/positions")) == 1

    @pytest.mark.parametrize("later", [Answer(status=404), Answer(json=[])], ids=repr)
    def test_a_version_that_was_there_is_still_there(self, server, later):
        server.on("GET /v2/positions", page(row(1)), later)
        server.on("GET /positions", Answer(json=[row_v1()]))
        assert ask(server, times=2) == Positions(ok=False)
        assert server.asked("GET /positions") == []


class TestThreshold:
    """Small rows may be left out of the target's list, never out of ours."""

    def test_it_is_sent_for_others_and_not_for_us(self, server):
        server.on("GET /v2/positions", page())
        server.on("GET /positions", Answer(json=[]))
        mine = "0x" + "cd" * 20
        for version, key in ((2, "filter_amount"), (1, "sizeThreshold")):
            for wallet, wants in ((WALLET, "0.50"), (mine.upper().replace("0X", "0x"), "0")):
                ask(server, version=version, wallet=wallet, size_threshold=Decimal("0.50"), my_address=mine)
                assert server.requests[-1].one(key) == wants


class TestRows:
    """A row that is merely odd is a row; one that does not parse makes the answer incomplete and loses no other."""

    @pytest.mark.parametrize(
        "odd",
        [
            {"current_size": 0},
            {"current_size": 0.0},
            {"current_size": "-0"},
            {"title": None, "slug": None, "end_date": None},
            {"title": 5, "avg_price": None, "current_price": None},
            {"avg_price": "NaN", "current_price": -1},
            {"avg_price": -0.1, "current_price": 17},
            {"status": "SOMETHING", "redeemable": "yes"},
            {"token_id": None},
            {"token_id": 5},
            {"token_id": ""},
            {"unheard_of": {"a": [1]}},
        ],
        ids=repr,
    )
    def test_merely_odd(self, server, odd):
        server.on("GET /v2/positions", page(row(1, **odd), row(2)))
        answer = ask(server)
        assert answer.complete
        assert list(sizes(answer)) == [f"{condition(1)}:0", f"{condition(2)}:0"]

    @pytest.mark.parametrize(
        "bad",
        [
            {"condition_id": None},
            {"condition_id": ""},
            {"condition_id": 7},
            {"condition_id": "market"},
            {"condition_id": "0x" + "1" * 65},
            {"condition_id": "0x12\n"},
            {"current_size": None},
            {"current_size": -1},
            {"current_size": "-0.01"},
            {"current_size": "NaN"},
            {"current_size": "Infinity"},
            {"current_size": "1_0"},
            {"current_size": "\u0661"},
            {"current_size": "1e400"},
            {"current_size": "1e-400"},
            {"current_size": 10**30},
            {"current_size": True},
            {"current_size": [1]},
            {"current_size": ""},
        ],
        ids=repr,
    )
    def test_does_not_parse(self, server, bad):
        server.on("GET /v2/positions", page(row(1, **bad), row(2)))
        answer = ask(server)
        assert (answer.ok, answer.incomplete) == (True, True)
        assert list(sizes(answer)) == [f"{condition(2)}:0"]

    @pytest.mark.parametrize("bad", [None, 1, "row", [], True], ids=repr)
    def test_is_no_row(self, server, bad):
        server.on("GET /v2/positions", page(bad, row(2)))
        assert (ask(server).incomplete, len(ask(server).positions)) == (True, 1)

    def test_a_number_that_is_not_json_costs_the_page(self, server):
        raw = json.dumps({"data": [row(1, current_size=float("nan"))], "pagination": {"has_more": False}}).encode()
        server.on("GET /v2/positions", Answer(body=raw))
        assert ask(server) == Positions(ok=False)

    def test_the_same_token_twice_on_one_page(self, server):
        server.on("GET /v2/positions", page(row(1), row(2), row(1, current_size=3)))
        answer = ask(server)
        assert (answer.ok, answer.incomplete, len(answer.positions)) == (True, True, 2)

    def test_resolved_positions_are_marked_however_that_is_said(self, server):
        server.on("GET /v2/positions", page(row(1, redeemable=True), row(2, status="REDEEMABLE"), row(3)))
        assert [position.redeemable for position in ask(server).positions] == [True, True, False]

    def test_texts_are_one_line(self, server):
        server.on("GET /v2/positions", page(row(1, title="A\x1b[2J\nB" + "x" * 1000)))
        title = ask(server).positions[0].title
        assert title.startswith("A[2JBx")
        assert len(title) <= 300


class TestWhichOutcome:
    """The token id decides which outcome a row is of, where it can; what it can't prove is not handed on."""

    @pytest.mark.parametrize("neg_risk", [False, True])
    @pytest.mark.parametrize("outcome_index", [0, 1])
    def test_a_ctf_id_of_either_collateral_is_proved_by_computing_it(self, server, neg_risk, outcome_index):
        token_id = ctf_token_id(condition(5), outcome_index, neg_risk=neg_risk)
        for said in (outcome_index, 999, -1, None, "1", 7):
            server.on("GET /v2/positions", page(row(5, said, token_id=token_id)))
            (position,) = ask(server).positions
            assert (position.token_key, position.token_id) == (f"{condition(5)}:{outcome_index}", token_id), said

    def test_a_position_id_carries_its_outcome(self, server):
        for token_id, outcome_index in ((BINARY_YES, 0), (BINARY_NO, 1)):
            for said in (outcome_index, 999, None):
                server.on("GET /v2/positions", page(row(5, said, token_id=token_id)))
                (position,) = ask(server).positions
                assert (position.outcome_index, position.token_id) == (outcome_index, token_id)

    @pytest.mark.parametrize("token_id", [ctf_token_id(condition(5), 1, neg_risk=False), BINARY_NO])
    def test_an_index_that_contradicts_a_proof_leaves_the_row_without_a_key(self, server, token_id):
        server.on("GET /v2/positions", page(row(5, 0, token_id=token_id), row(6)))
        answer = ask(server)
        assert (answer.incomplete, list(sizes(answer))) == (True, [f"{condition(6)}:0"])

    @pytest.mark.parametrize("token_id", [None, "0123", "0xabc", "111", ctf_token_id(condition(6), 0, neg_risk=False)])
    def test_no_index_and_no_proof_neither(self, server, token_id):
        server.on("GET /v2/positions", page(row(5, 999, token_id=token_id), row(6)))
        answer = ask(server)
        assert (answer.incomplete, list(sizes(answer))) == (True, [f"{condition(6)}:0"])

    @pytest.mark.parametrize(
        "token_id",
        ["0123", "+1", " 1", "0xabc", "1e5", str(2**256), "111", ctf_token_id(condition(6), 0, neg_risk=False)],
    )
    def test_an_id_that_proves_nothing_is_not_handed_on(self, server, token_id):
        server.on("GET /v2/positions", page(row(5, 0, token_id=token_id)))
        answer = ask(server)
        assert answer.complete
        assert (answer.positions[0].token_key, answer.positions[0].token_id) == (f"{condition(5)}:0", None)

    def test_a_combo_keeps_its_id_so_that_it_can_be_told(self, server):
        combo = f"0x{int(COMBO) >> 8:062x}"
        server.on("GET /v2/positions", page(row(5, 0, condition_id=combo, token_id=COMBO)))
        answer = ask(server)
        assert (answer.complete, answer.positions[0].token_id) == (True, COMBO)
        other = f"0x{(int(COMBO) >> 8) + 1:062x}"
        server.on("GET /v2/positions", page(row(5, 0, condition_id=other, token_id=COMBO)))
        assert ask(server).positions[0].token_id is None


class TestServedLag:
    def lag(self, server: Loopback, **options) -> Decimal | None:
        async def asked() -> Decimal | None:
            async with Http(server.url, attempts=2, wait_initial_sec=0) as http:
                return await DataApi(http, **options).served_lag()

        return asyncio.run(asked())

    def test_it_is_what_the_status_says(self, server, shared):
        server.on("GET /v2/status", Answer(body=shared("real/polyoxide-data-v2/status.json").read_bytes()))
        assert self.lag(server) == 4

    @pytest.mark.parametrize(
        "odd",
        [Answer(status=500), Answer(json=[]), Answer(json={"data": {"serving": {"lag_seconds": "x"}}}), Drop()],
        ids=repr,
    )
    def test_or_unknown(self, server, odd):
        server.on("GET /v2/status", odd)
        assert self.lag(server) is None

    def test_version_1_does_not_say(self, server):
        assert self.lag(server, version=1) is None
        assert server.requests == []


class TestRealAnswers:
    """Answers that the real service gave parse whole, each id proved, not a digit lost."""

    def test_version_1(self, server, shared):
        raw = shared("real/nexiumito-polycopy/data_api_positions_sample.json").read_bytes()
        server.on("GET /positions", Answer(body=raw))
        answer = ask(server, version=1)
        rows = json.loads(raw, parse_float=Decimal)
        assert answer.complete
        assert len(answer.positions) == 50
        assert sum(position.redeemable for position in answer.positions) == 40
        for position, real in zip(answer.positions, rows, strict=True):
            assert position.token_id == real["asset"]
            assert (position.size, position.avg_price) == (real["size"], real["avgPrice"])
            assert position.token_key == f"{real['conditionId']}:{real['outcomeIndex']}"

    def test_version_2_with_its_envelope(self, server, shared):
        raw = shared("real/polyoxide-data-v2/positions.json").read_bytes()
        server.on("GET /v2/positions", Answer(body=raw), page())
        answer = ask(server)
        assert answer.complete
        assert server.requests[1].one("cursor") == json.loads(raw)["pagination"]["next_cursor"]
        for position, real in zip(answer.positions, json.loads(raw, parse_float=Decimal)["data"], strict=True):
            assert (position.token_id, position.size) == (real["token_id"], real["current_size"])

    def test_a_yes_and_a_no_of_one_market(self, server, shared):
        rows = json.loads(shared("real/polymarket-py-sdk-data-v2/positions.json").read_bytes())
        server.on("GET /v2/positions", page(*rows))
        answer = ask(server)
        assert answer.complete
        assert {(position.outcome_index, position.token_id) for position in answer.positions} == {
            (real["outcome_index"], real["token_id"]) for real in rows
        }


SAMPLE_V2 = {
    "data": [row(1), row(2, 1), row(3, token_id=BINARY_YES)],
    "pagination": {"has_more": True, "next_cursor": "c"},
}
SAMPLE_V1 = [row_v1(1), row_v1(2, 1), row_v1(3, token_id=BINARY_YES)]


class TestMangledAnswers:
    """Whatever an answer is turned into, a decoder reads it or calls it a BadAnswer, and a row is sane or refused."""

    @pytest.mark.parametrize(
        ("parse", "names", "sample", "file"),
        [
            (parse_v2_page, data_api._V2, SAMPLE_V2, "real/polyoxide-data-v2/positions.json"),
            (parse_v1_page, data_api._V1, SAMPLE_V1, "recorded/data_api_positions_response.json"),
        ],
        ids=["version 2", "version 1"],
    )
    def test_pages(self, parse, names, sample, file, shared):
        @settings(max_examples=150)
        @given(st.data())
        def check(data: st.DataObject) -> None:
            source = data.draw(st.sampled_from(samples))
            raw = data.draw(mutated_json(copy.deepcopy(source)))
            walk = data_api._Walk()
            try:
                walk.take(parse(raw), names)
            except BadAnswer:
                return
            for position in walk.answer().positions:
                assert position.size.quantize(Decimal("0.01")) >= 0
                assert 0 <= position.current_price <= 1
                assert 0 <= position.outcome_index < 256

        samples = [sample, json.loads(shared(file).read_bytes())]
        check()

    @settings(max_examples=100)
    @given(mutated_json({"data": {"serving": {"lag_seconds": 4, "worst": "activity_feed"}}}))
    def test_the_status(self, raw):
        try:
            lag = parse_status(raw)
        except BadAnswer:
            return
        assert lag is None or lag >= 0
