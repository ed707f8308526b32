"""What a check asks of the exchange, over real HTTP: shapes, odd shapes, and which no is a definite one."""

import asyncio
import json
from decimal import Decimal

import pytest

from copytrade.adapters.clob import AccountState, ClobChecks, Site
from copytrade.adapters.clob.checking import allowances
from copytrade.adapters.http import Http
from copytrade.adapters.signing import POLYGON, Exchange
from copytrade.app.ports import Contract, Region
from copytrade.errors import BadAnswer, Refused, Unreachable
from tests.adapters.loopback import Answer, Loopback

D = Decimal
V3 = Exchange.V3.address()


class TestAllowances:
    def test_are_told_by_contract_in_any_spelling_and_others_are_left_out(self):
        raw = json.dumps({
            "balance": "5000000",
            "allowances": {
                Exchange.CTF_V2.address().lower(): "0",
                Exchange.NEG_RISK_V2.address(): str(2**256 - 1),
                Exchange.V3.address().upper().replace("0X", "0x"): 1_500_000,
                "0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296": "7",
            },
        }).encode()  # fmt: skip
        found = allowances(raw, POLYGON)
        assert (found[Contract.ORDINARY], found[Contract.V3]) == (D(0), D("1.5"))
        assert found[Contract.NEG_RISK] > D(10) ** 60
        assert len(found) == 3

    @pytest.mark.parametrize("told", [None, [], "x", {}, {V3: "much"}, {V3: True}, {V3: -1}, {V3: None}])
    def test_what_makes_no_sense_is_not_told(self, told):
        assert allowances(json.dumps({"balance": "1", "allowances": told}).encode(), POLYGON) == {}


class Scripted:
    """A session that answers what a test wants answered."""

    def __init__(self, http: Http) -> None:
        self.http = http

    async def read(self, path, params=()):
        return await self.http.read("GET", path, params=params)

    async def derive(self) -> bool:
        return bool(await self.http.read("GET", "/derive"))


def asked(path: str, answer: Answer, ask):
    """What `ask(http)` gives where the service answers so."""

    async def talk(url):
        async with Http(url, attempts=1) as http:
            return await ask(http)

    with Loopback() as server:
        server.on(f"GET {path}", answer)
        return asyncio.run(talk(server.url))


def account(http: Http) -> AccountState:
    signer = type("signer", (), {"signature_type": 3, "chain_id": POLYGON})()
    return AccountState(Scripted(http), signer)  # type: ignore[arg-type]  # all that it uses of both


class TestTheAccount:
    @pytest.mark.parametrize("closed", [True, False])
    def test_closed_only(self, closed):
        answer = Answer(json={"closed_only": closed})
        assert asked("/auth/ban-status/closed-only", answer, lambda http: account(http).closed_only()) is closed

    @pytest.mark.parametrize("odd", [{}, {"closed_only": "no"}, [], 1])
    def test_another_shape_is_a_bad_answer(self, odd):
        with pytest.raises(BadAnswer):
            asked("/auth/ban-status/closed-only", Answer(json=odd), lambda http: account(http).closed_only())

    @pytest.mark.parametrize(
        ("status", "words", "error"),
        [
            (401, "Unauthorized/Invalid api key", Refused),
            (403, "", Refused),
            (451, "", Refused),
            (400, "'0xaa' address banned", Refused),
            (400, "something new", Unreachable),
            (404, "", Unreachable),
            (429, "Too Many Requests", Unreachable),
            (503, "address banned", Unreachable),  # not its own words: whatever stands before it is out of order
        ],
    )
    def test_which_no_is_a_definite_one(self, status, words, error):
        answer = Answer(status=status, json={"error": words})
        with pytest.raises(error):
            asked("/auth/ban-status/closed-only", answer, lambda http: account(http).closed_only())

    @pytest.mark.parametrize(("answer", "name"), [({"tier": "Pro"}, "Pro"), ({}, ""), ([], ""), ({"tier": 3}, "")])
    def test_the_tier_is_only_a_name(self, answer, name):
        assert asked("/v1/user/rate-limit-tier", Answer(json=answer), lambda http: account(http).tier()) == name


class TestTheExchangeAndTheSite:
    @pytest.mark.parametrize(("answer", "version"), [({"version": 2}, 2), ({"version": 3, "x": 1}, 3)])
    def test_the_order_version(self, answer, version):
        assert asked("/version", Answer(json=answer), lambda http: ClobChecks(http).order_version()) == version

    @pytest.mark.parametrize("odd", [{}, {"version": "2"}, {"version": True}, 2])
    def test_another_shape_is_a_bad_answer(self, odd):
        with pytest.raises(BadAnswer):
            asked("/version", Answer(json=odd), lambda http: ClobChecks(http).order_version())

    @pytest.mark.parametrize(
        ("answer", "region"),
        [
            (
                {"blocked": True, "ip": "203.0.113.42", "country": "US"},
                Region(blocked=True, country="US"),
            ),
            ({"blocked": False}, Region(blocked=False)),
            ({"blocked": False, "country": None}, Region(blocked=False)),
        ],
    )
    def test_the_region_without_the_network_address(self, answer, region):
        found = asked("/*", Answer(json=answer), lambda http: Site(http).region())
        assert found == region
        assert "203.0" not in repr(found)

    @pytest.mark.parametrize("odd", [{}, {"blocked": "yes"}, []])
    def test_another_region_is_a_bad_answer(self, odd):
        with pytest.raises(BadAnswer):
            asked("/*", Answer(json=odd), lambda http: Site(http).region())
