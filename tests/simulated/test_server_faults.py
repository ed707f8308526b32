"""The simulated services over HTTP when things go wrong, each in its own way."""

import asyncio

import httpx
import pytest

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.scenario import LEADER, yes_of
from tests.simulated.client import D, talk, world_of


class TestFaults:
    """Every way to fail that a client must live with."""

    @pytest.mark.parametrize("after_effect", [False, True])
    @pytest.mark.parametrize("kind", [Kind.DROP, Kind.STATUS, Kind.HTML, Kind.GARBAGE])
    def test_a_post_that_is_not_answered_may_have_had_its_effect(self, kind, after_effect):
        world = world_of()
        world.faults.add(Endpoint.POST_ORDERS, Fault(kind=kind, status=502, after_effect=after_effect))

        async def conversation(client):
            _, posted = client.order(yes_of(world, 0))
            try:
                answer = await client.clob("POST", "/orders", [posted])
            except httpx.TransportError:
                return "no answer"
            try:
                answer.json()
            except ValueError:
                return answer.status_code, "no JSON"
            return answer.status_code

        expected = {
            Kind.DROP: "no answer",
            Kind.STATUS: 502,
            Kind.HTML: (502, "no JSON"),
            Kind.GARBAGE: (200, "no JSON"),
        }
        assert talk(world, conversation) == expected[kind]
        assert len(world.exchange.orders) == int(after_effect)

    def test_faults_come_in_turn_and_let_through_what_they_skip(self):
        world = world_of()
        world.faults.add(Endpoint.TIME, Fault(kind=Kind.STATUS, status=503, skip=1), Fault(kind=Kind.STATUS, times=2))

        async def conversation(client):
            return [(await client.clob("GET", "/time")).status_code for _ in range(5)]

        assert talk(world, conversation) == [200, 503, 500, 500, 200]
        assert world.count[Endpoint.TIME] == 5

    def test_a_status_may_come_with_words_and_headers(self):
        world = world_of()
        fault = Fault(kind=Kind.STATUS, status=429, words="slower", headers={"Retry-After": "7"})
        world.faults.add(Endpoint.POSITIONS_V2, fault)
        answer = talk(world, lambda client: client.data("/v2/positions", user=LEADER))
        assert (answer.status_code, answer.headers["Retry-After"], answer.json()) == (429, "7", {"error": "slower"})

    def test_a_deed_happens_before_the_request_is_looked_at(self):
        world = world_of()

        async def conversation(client):
            order_id, posted = client.order(yes_of(world, 0))
            await client.clob("POST", "/orders", [posted])
            deed = lambda: world.exchange.hit(order_id, D(10))  # noqa: E731
            world.faults.add(Endpoint.CANCEL_ORDERS, Fault(kind=Kind.NONE, deed=deed))
            return order_id, (await client.clob("DELETE", "/orders", [order_id])).json()

        order_id, answer = talk(world, conversation)
        assert answer == {"canceled": [], "not_canceled": {order_id: "already canceled or matched"}}

    @pytest.mark.parametrize("path", ["/v2/positions", "/positions"])
    def test_rows_can_be_spoiled(self, path):
        world = world_of(tokens=2)
        endpoint = Endpoint(f"GET {path}")
        kinds_of = (Kind.NO_IDS, Kind.DUPLICATES, Kind.NOT_A_NUMBER, Kind.NEGATIVE)
        world.faults.add(endpoint, *(Fault(kind=kind) for kind in kinds_of))

        async def conversation(client):
            return [(await client.data(path, user=LEADER)).text for _ in kinds_of]

        no_ids, duplicates, no_number, negative = talk(world, conversation)
        assert yes_of(world, 0) not in no_ids
        assert duplicates.count(f'"{LEADER}"') == 3
        assert 'size":NaN' in no_number
        assert 'size":-101' in negative

    def test_a_walk_need_not_end(self):
        world = world_of(tokens=1)
        for endpoint in (Endpoint.POSITIONS_V2, Endpoint.POSITIONS_V1, Endpoint.OPEN_ORDERS):
            world.faults.add(endpoint, Fault(kind=Kind.ENDLESS, times=None))

        async def conversation(client):
            cursors = set()
            extra: dict[str, str] = {}
            for _ in range(4):
                page = (await client.data("/v2/positions", user=LEADER, **extra)).json()
                extra = {"cursor": page["pagination"]["next_cursor"]}
                cursors.add(extra["cursor"])
            sizes = [
                len((await client.data("/positions", user=LEADER, limit=500, offset=n * 500)).json()) for n in (0, 3)
            ]
            cursor = "MA=="
            for _ in range(4):
                page = (await client.clob("GET", "/data/orders", params={"next_cursor": cursor})).json()
                cursor = page["next_cursor"]
            return len(cursors), sizes, cursor

        assert talk(world, conversation) == (4, [500, 500], "endless-4")

    def test_requests_are_written_down_and_those_that_overlap_are_seen(self):
        world = world_of()
        world.latency_sec = 0.02

        async def conversation(client):
            wanted = [{"token_id": yes_of(world, 0)}] * 3
            await asyncio.gather(*(client.clob("POST", "/books", wanted) for _ in range(2)))
            await client.data("/v2/positions", user=LEADER)

        talk(world, conversation)
        assert world.count == {Endpoint.BOOKS: 2, Endpoint.POSITIONS_V2: 1}
        assert world.at_once == {Endpoint.BOOKS: 2, Endpoint.POSITIONS_V2: 1}
        assert [(each.wallet, each.items) for each in list(world.asked)[1:]][-1] == (LEADER, 1)
        assert world.asked[0].items == 3
