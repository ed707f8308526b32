"""What the embedded exchange says of an account and of the place that it is asked from: what `doctor` looks at."""

import pytest

from copytrade.adapters.signing import Exchange
from copytrade.adapters.simulated.scenario import LEADER, yes_of
from tests.simulated.client import D, signer, talk, world_of

NEG_RISK = Exchange.NEG_RISK_V2.address()


class TestTheAccount:
    @pytest.mark.parametrize("closed_only", [False, True])
    def test_says_whether_it_may_only_close(self, closed_only):
        world = world_of()
        world.exchange.wallets[signer().funder.lower()].closed_only = closed_only

        async def ask(client):
            return await client.clob("GET", "/auth/ban-status/closed-only")

        assert talk(world, ask).json() == {"closed_only": closed_only}

    def test_that_is_banned_is_refused(self):
        world = world_of()
        world.exchange.wallets[signer().funder.lower()].banned = True

        async def ask(client):
            return await client.clob("GET", "/auth/ban-status/closed-only")

        answer = talk(world, ask)
        assert (answer.status_code, "banned" in answer.json()["error"]) == (400, True)

    def test_a_contract_that_may_take_nothing_is_seen_in_the_allowances_and_refuses_orders(self):
        world = world_of(tokens=2)  # market-1 is neg-risk
        world.exchange.wallets[signer().funder.lower()].unapproved.add(NEG_RISK.lower())

        async def ask(client):
            params = {"asset_type": "COLLATERAL", "signature_type": "0"}
            allowances = (await client.clob("GET", "/balance-allowance", params=params)).json()["allowances"]
            legs = [client.order(yes_of(world, number), neg_risk=number == 1)[1] for number in range(2)]
            return allowances, (await client.clob("POST", "/orders", legs)).json()

        allowances, (ordinary, neg_risk) = talk(world, ask)
        assert {address for address, amount in allowances.items() if D(amount) == 0} == {NEG_RISK}
        assert ordinary["orderID"]
        assert neg_risk["errorMsg"] == "not enough balance / allowance"


class TestTheSite:
    @pytest.mark.parametrize(("blocked", "country"), [(False, "IE"), (True, "US")])
    def test_says_whether_orders_are_taken_from_here(self, blocked, country):
        world = world_of()
        world.blocked, world.country = blocked, country

        async def ask(client):
            return await client.http.get(client.urls.geoblock_url)

        assert talk(world, ask).json() == {"blocked": blocked, "ip": "127.0.0.1", "country": country, "region": ""}


class TestActivity:
    @pytest.mark.parametrize(
        ("path", "rows_at", "id_at"), [("/v2/activity", "data", "token_id"), ("/activity", None, "asset")]
    )
    def test_tells_what_a_wallet_came_to_hold_and_nothing_of_a_stranger(self, path, rows_at, id_at):
        world = world_of(tokens=1)

        async def ask(client):
            answers = [(await client.data(path, user=user)).json() for user in (LEADER, "0x" + "77" * 20)]
            return [answer[rows_at] if rows_at else answer for answer in answers]

        (row,), nothing = talk(world, ask)
        assert (row[id_at], row["size"], row["type"], nothing) == (yes_of(world, 0), 100, "TRADE", [])
