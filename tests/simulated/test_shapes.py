"""Each answer of the simulated services has the keys and the kinds of the real one's."""

import json

from copytrade.adapters.simulated.scenario import LEADER, add_market, market, position_id, yes_of
from tests.simulated.client import NOW, D, talk, world_of


def kinds(value):
    """The JSON kind of each key: what two rows must have in common."""
    names = {
        bool: "bool",
        int: "number",
        float: "number",
        str: "text",
        list: "list",
        dict: "object",
        type(None): "null",
    }
    return {key: names[type(each)] for key, each in value.items()}


def assert_shape(ours, real, *, without=(), also=()):
    """Ours has every key of the real one but `without`, of the same kind, and none that it lacks but `also`."""
    ours, real = kinds(ours), kinds(real)
    assert set(ours) - set(also) == set(real) - set(without)
    assert {key: kind for key, kind in ours.items() if key in real} == {
        key: kind for key, kind in real.items() if key in ours
    }


class TestShapes:
    """Each answer has the keys and the kinds of the real one."""

    def real(self, shared, name):
        return json.loads(shared(name).read_text())

    def test_positions_of_version_2(self, shared):
        real = self.real(shared, "real/polyoxide-data-v2/positions.json")
        ours = talk(world_of(), lambda client: client.data("/v2/positions", user=LEADER, limit=2)).json()
        assert_shape(ours, real)
        assert_shape(ours["pagination"], real["pagination"])
        assert_shape(ours["data"][0], real["data"][0])

    def test_positions_of_version_1(self, shared):
        real = self.real(shared, "real/nexiumito-polycopy/data_api_positions_sample.json")
        ours = talk(world_of(), lambda client: client.data("/positions", user=LEADER)).json()
        assert_shape(ours[0], real[0])

    def test_status(self, shared):
        real = self.real(shared, "real/polyoxide-data-v2/status.json")
        ours = talk(world_of(), lambda client: client.data("/v2/status")).json()
        assert_shape(ours["data"], real["data"])
        assert_shape(ours["data"]["serving"], real["data"]["serving"])
        assert_shape(ours["data"]["ingestion"], real["data"]["ingestion"])

    def test_gamma_markets(self, shared):
        real = self.real(shared, "real/nexiumito-polycopy/gamma_market_sample.json")[0]
        world = world_of()
        v2 = add_market(world.exchange, market("native", version="v2"))
        ours, native = talk(world, lambda client: client.gamma([("limit", "100")])).json()[-2:]
        unserved = set(real) - set(ours)
        assert_shape(ours, real, without=unserved, also={"version"})
        assert json.loads(ours["clobTokenIds"]) == [
            yes_of(world, 2),
            world.exchange.markets[ours["conditionId"]].outcomes[1].token_id,
        ]
        assert json.loads(ours["outcomes"]) == ["Yes", "No"]
        assert native["positionIds"] == [outcome.token_id for outcome in v2.outcomes]
        assert (native["version"], json.loads(native["clobTokenIds"])) == ("v2", [])

    def test_gamma_may_list_ids_of_both_protocols(self):
        world = world_of(tokens=1)
        made = next(iter(world.exchange.markets.values()))
        made.mirror_ids = (position_id("mirror", 0), position_id("mirror", 1))
        [ours] = talk(world, lambda client: client.gamma([("limit", "100")])).json()
        assert (ours["version"], ours["positionIds"]) == ("v1", list(made.mirror_ids))
        assert json.loads(ours["clobTokenIds"]) == [outcome.token_id for outcome in made.outcomes]

    def test_books(self, shared):
        real = self.real(shared, "real/nexiumito-polycopy/clob_orderbook_sample.json")
        world = world_of()
        world.exchange.books[yes_of(world, 0)].last_trade_price = D("0.5")
        wanted = [{"token_id": yes_of(world, 0)}, {"token_id": "404"}]
        [ours] = talk(world, lambda client: client.clob("POST", "/books", wanted)).json()
        assert_shape(ours, real)
        assert ours["bids"] == [{"price": "0.48", "size": "500"}, {"price": "0.49", "size": "500"}]
        assert ours["asks"] == [{"price": "0.52", "size": "500"}, {"price": "0.51", "size": "500"}]

    def test_market_of_the_clob(self, shared):
        real = self.real(shared, "recorded/clob_market_closed_binary_accepting_false.json")
        world = world_of()
        condition_id = next(iter(world.exchange.markets))
        ours = talk(world, lambda client: client.clob("GET", f"/markets/{condition_id}")).json()
        assert_shape(ours, real, without=set(real) - set(ours), also={"version"})
        assert_shape(ours["tokens"][0], real["tokens"][0])

    def test_open_orders_and_one_order(self, shared):
        real = self.real(shared, "recorded/http_open_orders_page.json")

        async def conversation(client):
            order_id, posted = client.order(yes_of(client.world, 0))
            await client.clob("POST", "/orders", [posted])
            return (await client.clob("GET", "/data/orders")).json(), (
                await client.clob("GET", f"/data/order/{order_id}")
            ).json()

        page, one = talk(world_of(), conversation)
        assert page["data"] == [one]
        assert page["next_cursor"] == real["next_cursor"]
        one["expiration"] = None  # theirs rest without an end
        assert_shape(one, real["data"][0])

    def test_trades(self, shared):
        real = self.real(shared, "recorded/http_trade_report.json")

        async def conversation(client):
            order_id, posted = client.order(yes_of(client.world, 0))
            await client.clob("POST", "/orders", [posted])
            client.world.exchange.hit(order_id, D(4), others=D(3))
            return (await client.clob("GET", "/data/trades", params={"after": str(NOW - 1)})).json()

        [ours] = talk(world_of(), conversation)["data"]
        assert_shape(ours, real)
        assert_shape(ours["maker_orders"][0], real["maker_orders"][0])
        assert (ours["side"], ours["size"], ours["trader_side"]) == ("SELL", "7", "MAKER")  # the taker's
        assert [each["matched_amount"] for each in ours["maker_orders"]] == ["4", "3"]

    def test_post_and_cancel(self, shared):
        accepted = self.real(shared, "recorded/http_order_response_ok.json")
        canceled = self.real(shared, "recorded/http_batch_cancel_response.json")

        async def conversation(client):
            order_id, posted = client.order(yes_of(client.world, 0))
            answers = [(await client.clob("POST", "/orders", [posted])).json()[0]]
            answers.append((await client.clob("DELETE", "/orders", [order_id, "0x99"])).json())
            return order_id, answers

        order_id, (ours, gone) = talk(world_of(), conversation)
        assert set(ours) == set(accepted) | {"status", "makingAmount", "takingAmount"}
        assert (ours["success"], ours["orderID"], ours["status"], ours["errorMsg"]) == (True, order_id, "live", "")
        assert_shape(gone, canceled)
        assert gone == {"canceled": [order_id], "not_canceled": {"0x99": "already canceled or matched"}}
