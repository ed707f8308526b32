"""The simulated services over HTTP: pages, proofs of identity, orders and their limits."""

import json

import pytest
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2
from py_clob_client_v2.signer import Signer

from copytrade.adapters.signing import Exchange
from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.records import Mode, OrderStatus
from copytrade.adapters.simulated.scenario import LEADER, add_market, combo, market, yes_of
from tests.simulated.client import KEY, NOW, D, signer, talk, world_of


class TestPositions:
    """API.md, Data-API: defaults, pages and their ends."""

    def test_version_2_ends_only_where_it_says_so(self):
        async def conversation(client):
            pages = []
            cursor: dict[str, str] = {}
            while True:
                page = (await client.data("/v2/positions", user=LEADER, limit=2, **cursor)).json()
                pages.append(len(page["data"]))
                if not page["pagination"]["has_more"]:
                    assert page["pagination"]["next_cursor"] is None
                    return pages
                cursor = {"cursor": page["pagination"]["next_cursor"]}

        assert talk(world_of(tokens=5), conversation) == [2, 2, 1]

    @pytest.mark.parametrize(
        "params",
        [{"offset": 2}, {"limit": 1001}, {"limit": 0}, {"cursor": "nonsense"}, {"cursor": "YWJjfDI="}, {"user": ""}],
    )
    def test_version_2_refuses(self, params):
        answer = talk(world_of(), lambda client: client.data("/v2/positions", **{"user": LEADER, **params}))
        assert answer.status_code == 400
        assert set(answer.json()) == {"error", "code", "retryable", "trace_id"}

    def test_version_1_pages_by_offset(self):
        async def conversation(client):
            got = [await client.data("/positions", user=LEADER, limit=2, offset=offset) for offset in (0, 2, 4, 10_001)]
            return [len(each.json()) if each.status_code == 200 else each.status_code for each in got]

        assert talk(world_of(tokens=5), conversation) == [2, 2, 1, 400]

    @pytest.mark.parametrize(
        ("path", "params", "seen"),
        [
            ("/v2/positions", {}, ["0.5"]),
            ("/v2/positions", {"filter_type": "TOKENS", "filter_amount": "0"}, ["0.5", "0.05"]),
            ("/v2/positions", {"size_threshold": "0", "include_archived": "true"}, ["0.5", "0.05", "7"]),
            ("/positions", {}, []),
            ("/positions", {"sizeThreshold": "0", "includeArchived": "true"}, ["0.5", "0.05", "7"]),
        ],
    )
    def test_dust_and_archived_markets_are_left_out_unless_asked_for(self, path, params, seen):
        world = world_of(tokens=3)
        for number, size in enumerate(("0.5", "0.05", "7")):
            world.exchange.hold(LEADER, yes_of(world, number), D(size))
        world.exchange.market_of(yes_of(world, 2))[0].archived = True
        answer = talk(world, lambda client: client.data(path, user=LEADER, **params)).json()
        rows = answer["data"] if isinstance(answer, dict) else answer
        sizes = {str(row.get("current_size", row.get("size"))) for row in rows}
        assert sizes == set(seen)

    def test_version_2_can_be_switched_off(self):
        world = world_of()
        world.serves_v2 = False
        assert talk(world, lambda client: client.data("/v2/positions", user=LEADER)).status_code == 404

    def test_rows_can_be_odd_or_somebody_elses(self, shared):
        world = world_of(tokens=2)
        feed = world.feed(LEADER)
        feed.without_id.add(yes_of(world, 0))
        feed.odd_index.add(yes_of(world, 1))
        world.feed("0xABC").raw = json.loads(shared("real/polymarket-py-sdk-data-v2/positions.json").read_text())

        async def conversation(client):
            return [(await client.data("/v2/positions", user=each)).json()["data"] for each in (LEADER, "0xabc")]

        ours, raw = talk(world, conversation)
        assert sorted(("token_id" in row, row["outcome_index"]) for row in ours) == [(False, 0), (True, 999)]
        assert raw == world.feed("0xabc").raw

    def test_gamma_hides_closed_markets_and_what_is_not_listed_yet(self):
        world = world_of(tokens=3)
        ids = list(world.exchange.markets)
        world.exchange.resolve(ids[0], [D(1), D(0)])
        world.exchange.markets[ids[1]].ids_known = False
        world.exchange.markets[ids[2]].listed = False

        async def conversation(client):
            wanted = [("condition_ids", each) for each in ids]
            answers = [await client.gamma(wanted), await client.gamma([*wanted, ("closed", "true")])]
            return [[(row["conditionId"], row["clobTokenIds"] == "[]") for row in each.json()] for each in answers]

        assert talk(world, conversation) == [[(ids[1], True)], [(ids[0], False)]]


class TestWhoIsAsking:
    """L1 is a signature, L2 an HMAC; nothing of the account is told or done without."""

    def test_a_key_is_made_once_and_derived_ever_after(self):
        async def conversation(client):
            client.world.made_keys.clear()
            headers = client.signer.l1_headers(timestamp=NOW)
            url = client.urls.clob_url + "/auth/"
            answers = [
                await client.http.get(url + "derive-api-key", headers=headers),
                await client.http.post(url + "api-key", headers={**headers, "POLY_NONCE": "1"}),
                await client.http.post(url + "api-key", headers=headers),
                await client.http.post(url + "api-key", headers=headers),
                await client.http.get(url + "derive-api-key", headers=headers),
            ]
            return [(each.status_code, each.json().get("error")) for each in answers], answers[2].json()

        answers, made = talk(world_of(), conversation)
        assert answers == [
            (400, "Could not derive api key!"),
            (401, "Invalid L1 Request headers"),
            (200, None),
            (400, "Could not create api key"),
            (200, None),
        ]
        assert set(made) == {"apiKey", "secret", "passphrase"}

    @pytest.mark.parametrize(
        "lie",
        [
            {"POLY_SIGNATURE": "bm90IGl0"},
            {"POLY_API_KEY": "00000000-0000-0000-0000-000000000000"},
            {"POLY_PASSPHRASE": "wrong"},
            {"POLY_ADDRESS": LEADER},
            {"POLY_TIMESTAMP": str(NOW + 1)},
            {"POLY_TIMESTAMP": "soon"},
        ],
        ids=lambda lie: next(iter(lie)),
    )
    def test_a_lie_in_a_header_is_401(self, lie):
        answer = talk(world_of(), lambda client: client.clob("GET", "/data/orders", **lie))
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized/Invalid api key"})

    def test_an_old_timestamp_is_401_where_that_is_asked_for(self):
        world = world_of()
        world.max_skew_sec = D(60)
        assert talk(world, lambda client: client.clob("GET", "/data/orders")).status_code == 200
        world.clock = lambda: D(NOW + 61)
        assert talk(world, lambda client: client.clob("GET", "/data/orders")).status_code == 401

    @pytest.mark.parametrize("signature_type", [0, 2, 3])
    def test_an_order_of_each_kind_of_wallet_rests(self, signature_type):
        async def conversation(client):
            order_id, posted = client.order(yes_of(client.world, 0))
            [answer] = (await client.clob("POST", "/orders", [posted])).json()
            assert (answer["errorMsg"], answer["orderID"]) == ("", order_id)
            balance = await client.clob(
                "GET", "/balance-allowance", params={"asset_type": "COLLATERAL", "signature_type": signature_type}
            )
            return balance.json()

        balance = talk(world_of(signature_type), conversation, signature_type)
        assert balance["balance"] == "1000000000"
        assert len(balance["allowances"]) == 3

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda order: order.update(makerAmount="4790000"), "invalid signature"),
            (lambda order: order.update(signature="0x" + "22" * 65), "invalid signature"),
            (
                lambda order: order.update(signatureType=1),
                "maker address not allowed, please use the deposit wallet flow",
            ),
            (lambda order: order.update(maker=LEADER), "maker address not allowed, please use the deposit wallet flow"),
            (
                lambda order: order.update(signer=LEADER),
                "the order signer address has to be the address of the API KEY",
            ),
            (lambda order: order.update(tokenId="404"), "the orderbook 404 does not exist"),
        ],
    )
    def test_an_order_that_was_changed_after_signing_is_refused(self, spoil, words):
        async def conversation(client):
            _, posted = client.order(yes_of(client.world, 0))
            spoil(posted["order"])
            [answer] = (await client.clob("POST", "/orders", [posted])).json()
            return answer

        answer = talk(world_of(), conversation)
        assert answer == {
            "success": True, "orderID": "", "errorMsg": words, "status": "", "makingAmount": "", "takingAmount": "",
        }  # fmt: skip

    def test_an_order_signed_for_another_contract_is_a_version_mismatch(self):
        async def conversation(client):
            _, posted = client.order(yes_of(client.world, 0), neg_risk=True)  # market 0 is an ordinary one
            [answer] = (await client.clob("POST", "/orders", [posted])).json()
            return answer["errorMsg"]

        assert talk(world_of(), conversation) == "order_version_mismatch"

    def test_v1_neg_risk_and_v2_markets_take_what_is_signed_for_them_and_combos_take_nothing(self):
        world = world_of()
        native = add_market(world.exchange, market("native", version="v2")).outcomes[0].token_id
        add_market(world.exchange, combo("both"))

        async def conversation(client):
            legs = [client.order(yes_of(world, 1), neg_risk=True)[1], client.order(native, salt=2)[1]]
            return [each["errorMsg"] for each in (await client.clob("POST", "/orders", legs)).json()]

        assert talk(world, conversation) == ["", ""]

    def test_amounts_that_lost_a_cent_are_on_no_tick(self):
        async def conversation(client):
            vendor = ExchangeOrderBuilderV2(Exchange.CTF_V2.address(), 137, Signer(KEY, 137))
            _, posted = client.order(yes_of(client.world, 0), price="0.29", size="8.29")
            changed = {**posted["order"], "makerAmount": "2400000"}  # 2.4041 belongs there
            message = {**changed, "side": 0}
            typed = vendor.build_order_typed_data(type("O", (), message))
            posted["order"] = {**changed, "signature": vendor.build_order_signature(typed)}
            [answer] = (await client.clob("POST", "/orders", [posted])).json()
            return answer["errorMsg"]

        words = talk(world_of(), conversation)
        assert words.startswith("order 0x")
        assert "breaks minimum tick size rule: 0.01" in words

    def test_the_banned_are_told_so(self):
        world = world_of()
        wallet = world.exchange.wallets[signer().funder.lower()]

        async def conversation(client):
            _, posted = client.order(yes_of(world, 0))
            wallet.banned = True
            answers = [await client.clob("POST", "/orders", [posted])]
            wallet.banned, wallet.closed_only = False, True
            answers.append(await client.clob("POST", "/order", posted))
            posted["owner"] = "somebody"
            answers.append(await client.clob("POST", "/order", posted))
            return [(each.status_code, each.json()["error"].replace(wallet.address, "0x…")) for each in answers]

        assert talk(world, conversation) == [
            (400, "'0x…' address banned"),
            (400, "'0x…' address in closed only mode"),
            (400, "the order owner has to be the owner of the API KEY"),
        ]


class TestOrders:
    def test_a_single_refused_order_is_400_and_a_duplicate_names_itself(self):
        async def conversation(client):
            order_id, posted = client.order(yes_of(client.world, 0))
            _, crossing = client.order(yes_of(client.world, 0), price="0.51", salt=2)
            answers = [await client.clob("POST", "/order", each) for each in (posted, posted, crossing)]
            return [(each.status_code, each.json().get("error", "").replace(order_id, "0x…")) for each in answers]

        assert talk(world_of(), conversation) == [
            (200, ""),
            (400, "order 0x… is invalid. Duplicated."),
            (400, "invalid post-only order: order crosses book"),
        ]

    def test_one_odd_leg_does_not_spoil_the_others(self):
        async def conversation(client):
            legs = [
                client.order(yes_of(client.world, 0), size=size, salt=n)[1] for n, size in enumerate(("5", "3", "7"))
            ]
            return [each["errorMsg"][-28:] for each in (await client.clob("POST", "/orders", legs)).json()]

        assert talk(world_of(), conversation) == ["", "3) lower than the minimum: 5", ""]

    def test_a_marketable_order_says_what_it_gave_and_got(self):
        async def conversation(client):
            _, posted = client.order(yes_of(client.world, 0), price="0.51", size="20", post_only=False)
            return (await client.clob("POST", "/orders", [posted])).json()[0]

        answer = talk(world_of(), conversation)
        assert (answer["status"], answer["makingAmount"], answer["takingAmount"]) == ("matched", "10.2", "20")
        assert len(answer["tradeIDs"]) == 1

    @pytest.mark.parametrize(
        ("method", "path", "body", "status", "words"),
        [
            ("POST", "/orders", [{}] * 16, 400, "Too many orders in payload: 16, max allowed: 15"),
            ("POST", "/orders", [], 400, "Invalid order payload"),
            ("POST", "/orders", [{"order": 1}], 400, "Invalid order payload"),
            ("DELETE", "/orders", [1], 400, "Invalid order payload"),
            ("DELETE", "/orders", ["0x1"] * 121, 429, "Too Many Requests"),
            ("DELETE", "/order", {}, 400, "Invalid order payload"),
            ("POST", "/books", [{"token_id": "1"}] * 501, 400, "Payload exceeds the limit"),
            ("POST", "/books", {}, 400, "Invalid payload"),
            ("GET", "/book", None, 404, "No orderbook exists for the requested token id"),
            ("GET", "/markets/0x404", None, 404, "market not found"),
            ("GET", "/data/order/0x404", None, 404, "order not found"),
            ("GET", "/balance-allowance", None, 400, "Invalid asset type"),
            ("GET", "/v2/positions", None, 404, "Not Found"),  # another host's
        ],
    )
    def test_what_makes_no_sense_is_refused_in_words(self, method, path, body, status, words):
        answer = talk(world_of(), lambda client: client.clob(method, path, body))
        assert (answer.status_code, answer.json()) == (status, {"error": words})

    def test_the_buckets_are_kept_and_told(self):
        async def conversation(client):
            cancels = [await client.clob("DELETE", "/orders", ["0x1"] * 100) for _ in range(2)]
            legs = [client.order(yes_of(client.world, 0), salt=n)[1] for n in range(15)]
            orders = [await client.clob("POST", "/orders", legs) for _ in range(5)]
            return cancels, orders

        cancels, orders = talk(world_of(), conversation)
        assert [each.status_code for each in cancels] == [200, 429]
        assert [each.status_code for each in orders] == [200, 200, 200, 200, 429]
        assert [each.headers["Poly-RateLimit-Remaining"] for each in orders] == ["45", "30", "15", "0", "0"]
        assert orders[-1].headers["Retry-After"] == "1"
        assert orders[-1].json() == {"error": "Too Many Requests"}

    def test_the_exchanges_own_modes(self):
        world = world_of()

        async def conversation(client):
            order_id, posted = client.order(yes_of(world, 0))
            await client.clob("POST", "/orders", [posted])
            answers = []
            for world.exchange.mode in (Mode.CANCEL_ONLY, Mode.DISABLED, Mode.RESTARTING):
                post = await client.clob("POST", "/orders", [client.order(yes_of(world, 0), salt=5)[1]])
                cancel = await client.clob("DELETE", "/orders", [order_id])
                answers.append((post.status_code, cancel.status_code))
            return answers, world.exchange.orders[order_id].status

        assert talk(world, conversation) == ([(503, 200), (503, 503), (425, 425)], OrderStatus.CANCELED)

    def test_balances_of_shares_and_the_tier(self):
        world = world_of()
        world.exchange.manners.stale_balances = True

        async def conversation(client):
            asset = {"asset_type": "CONDITIONAL", "token_id": yes_of(world, 0), "signature_type": "0"}
            seen = []
            for update in (False, False, True):
                if update:
                    assert (await client.clob("GET", "/balance-allowance/update", params=asset)).status_code == 200
                seen.append((await client.clob("GET", "/balance-allowance", params=asset)).json()["balance"])
                world.exchange.give(signer().funder, D("1.5"), yes_of(world, 0))
            return seen, (await client.clob("GET", "/v1/user/rate-limit-tier")).json()

        assert talk(world, conversation) == (["50000000", "50000000", "53000000"], {"tier": "Standard"})

    def test_listings_come_in_pages(self):
        world = world_of()
        world.faults.add(Endpoint.OPEN_ORDERS, Fault(kind=Kind.SHORT_PAGES, times=None))

        async def conversation(client):
            legs = [client.order(yes_of(world, 0), salt=n)[1] for n in range(3)]
            await client.clob("POST", "/orders", legs)
            cursor, pages = "MA==", []
            while cursor != "LTE=":
                page = (await client.clob("GET", "/data/orders", params={"next_cursor": cursor})).json()
                pages.append(len(page["data"]))
                cursor = page["next_cursor"]
            return pages

        assert talk(world, conversation) == [1, 1, 1]
