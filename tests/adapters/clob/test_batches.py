"""Many orders at once: who goes first, who goes together, who stays here, and what is never sent twice."""

import asyncio

import pytest

from copytrade.adapters.clob import Limit
from copytrade.app.ports import PostFate, Refusal
from tests.adapters.clob.talking import CREDENTIALS, arrived, ask, sign
from tests.adapters.loopback import Answer, Drop, Hang, Loopback

ONE_BATCH = Limit(burst=15, per_sec=0.001)  # a second batch waits for hours: it leaves only where waiting is over
GONE = "order can't be found - already canceled or matched"


@pytest.fixture
def server():
    with Loopback() as server:
        server.on("GET /auth/derive-api-key", Answer(json=CREDENTIALS))
        yield server


def refused(words):
    return lambda request: Answer(json=[{"success": True, "orderID": "", "errorMsg": words} for _ in request.json()])


def post(server, count, **limits):
    """(the signed orders, their answers)"""

    async def question(account):
        signed = sign(account, count)
        return signed, await account.post(signed)

    return ask(server, question, **limits)


def signatures(orders):
    return [order.payload["order"]["signature"] for order in orders]


def sent(server):
    return [[leg["order"]["signature"] for leg in request.json()] for request in server.asked("POST /orders")]


class TestTheOrderOfOrders:
    def test_is_kept(self, server):
        """One batch at a time, so that the order of arrival is the order of leaving."""
        server.on("POST /orders", refused("invalid expiration"))
        signed, answers = post(server, 40, orders=Limit(burst=15, per_sec=100_000))
        assert [one.order_id for one in answers] == [one.order_id for one in signed]
        assert [len(batch) for batch in sent(server)] == [15, 15, 10]
        assert [each for batch in sent(server) for each in batch] == signatures(signed)

    def test_as_many_leave_together_as_the_bucket_allows(self, server):
        """None is answered, and a burst has left: one after another, only the first would have."""
        server.on("POST /orders", Hang())

        async def question(account):
            posting = asyncio.create_task(account.post(sign(account, 90)))
            await arrived(server, "POST /orders", 4)
            posting.cancel()
            return await asyncio.gather(posting, return_exceptions=True)

        ask(server, question, timeout_sec=60, orders=Limit(burst=60, per_sec=0.001))
        assert [len(batch) for batch in sent(server)] == [15, 15, 15, 15]

    def test_a_batch_is_never_larger_than_the_burst(self, server):
        server.on("POST /orders", refused("invalid expiration"))
        post(server, 20, orders=Limit(burst=8, per_sec=100_000))
        assert [len(batch) for batch in sent(server)] == [8, 8, 4]

    def test_nothing_to_post_is_not_sent(self, server):
        assert post(server, 0) == ((), ())
        assert server.requests == []


class TestWhoeverHasNotLeftStaysHere:
    """Rule 2: where the others would fare no better, certainly not sent is better than perhaps sent."""

    @pytest.mark.parametrize(
        ("answer", "first", "rest"),
        [
            (Answer(status=429), Refusal.BUSY, Refusal.BUSY),
            (Answer(status=425), Refusal.BUSY, Refusal.BUSY),
            (Answer(status=503, json={"error": "Trading is currently disabled"}), Refusal.BUSY, Refusal.BUSY),
            (Answer(status=400, json={"error": "'0xab' address banned"}), Refusal.ACCOUNT, Refusal.ACCOUNT),
            (refused("'0xab' address in closed only mode"), Refusal.ACCOUNT, Refusal.ACCOUNT),
            (refused("order_version_mismatch"), Refusal.CLIENT, Refusal.CLIENT),
            (Answer(status=500), None, Refusal.BUSY),
            (Drop(), None, Refusal.BUSY),
        ],
    )
    def test_when_the_first_batch_has_shown_it(self, server, answer, first, rest):
        server.on("POST /orders", answer)
        _, answers = post(server, 40, orders=ONE_BATCH)
        assert len(sent(server)) == 1
        fate = PostFate.UNKNOWN if first is None else PostFate.REFUSED
        assert {(one.fate, one.refusal) for one in answers[:15]} == {(fate, first)}
        assert {(one.fate, one.refusal) for one in answers[15:]} == {(PostFate.REFUSED, rest)}
        assert all(one.words.startswith("not sent: ") for one in answers[15:])

    def test_and_is_told_why_in_the_words_that_stopped_it(self, server):
        def mixed(request):
            words = ["invalid expiration"] + ["post-only mode: only post-only orders"] * (len(request.json()) - 1)
            return Answer(json=[{"success": True, "orderID": "", "errorMsg": one} for one in words])

        server.on("POST /orders", mixed)
        _, answers = post(server, 16, orders=ONE_BATCH)
        assert answers[0].refusal is Refusal.OTHER
        assert (answers[15].refusal, answers[15].words) == (
            Refusal.BUSY,
            "not sent: post-only mode: only post-only orders",
        )

    def test_but_not_when_the_first_batch_had_reasons_of_its_own(self, server):
        server.on("POST /orders", refused("not enough balance / allowance"))
        post(server, 40, orders=Limit(burst=15, per_sec=100_000))
        assert len(sent(server)) == 3

    def test_when_the_run_was_stopped_meanwhile(self, server):
        """What is on its way is waited for; what waits for its turn is not sent any more."""
        stopped = []

        def first(request):
            stopped.append(True)
            return refused("invalid expiration")(request)

        server.on("POST /orders", first)

        async def question(account):
            return await account.post(sign(account, 40), unless=lambda: bool(stopped))

        answers = ask(server, question, orders=Limit(burst=15, per_sec=100_000))
        assert [len(batch) for batch in sent(server)] == [15]
        assert {one.refusal for one in answers[:15]} == {Refusal.OTHER}
        assert {(one.fate, one.refusal, one.words) for one in answers[15:]} == {
            (PostFate.REFUSED, Refusal.STOPPED, "not sent: a stop came first")
        }


class TestTheExchangesOwnCount:
    @pytest.mark.parametrize(("headers", "second_leaves"), [({"Poly-RateLimit-Remaining": "0"}, False), ({}, True)])
    def test_is_heeded(self, server, headers, second_leaves):
        """Somebody else trades by the same signer: the bucket is emptier than our own orders account for."""
        words = {"success": True, "orderID": "", "errorMsg": "invalid expiration"}
        server.on("POST /orders", Answer(json=[words] * 15, headers=headers))

        async def question(account):
            await account.post(sign(account, 15))
            try:
                async with asyncio.timeout(0.3 if not second_leaves else 10):
                    await account.post(sign(account, 15))
            except TimeoutError:
                return False
            return True

        assert ask(server, question, orders=Limit(burst=30, per_sec=0.001)) is second_leaves
        assert len(sent(server)) == (2 if second_leaves else 1)


class TestCancels:
    def cancel(self, server, ids, **limits):
        return ask(server, lambda account: account.cancel(ids), **limits)

    def all_done(self, request):
        return Answer(json={"canceled": request.json(), "not_canceled": {}})

    def test_are_sent_in_order_at_most_a_burst_in_a_call(self, server):
        server.on("DELETE /orders", self.all_done)
        ids = [f"0x{number}" for number in range(250)]
        answers = self.cancel(server, ids, cancels=Limit(burst=120, per_sec=1_000_000))
        assert [(one.order_id, one.confirmed) for one in answers] == [(each, True) for each in ids]
        batches = [request.json() for request in server.asked("DELETE /orders")]
        assert [len(batch) for batch in batches] == [120, 120, 10]
        assert [each for batch in batches for each in batch] == ids

    def test_of_the_same_order_are_one(self, server):
        server.on("DELETE /orders", self.all_done)
        assert [one.confirmed for one in self.cancel(server, ["0xa", "0xb", "0xa"])] == [True, True, True]
        assert [request.json() for request in server.asked("DELETE /orders")] == [["0xa", "0xb"]]

    def test_of_nothing_are_not_sent(self, server):
        assert self.cancel(server, []) == ()
        assert server.requests == []

    def test_that_do_not_find_an_order_prove_nothing_right_after_a_post_without_an_answer(self, server):
        server.on("POST /orders", Drop())
        server.on("DELETE /orders", lambda request: Answer(json={"not_canceled": dict.fromkeys(request.json(), GONE)}))

        async def question(account):
            signed = sign(account)
            await account.post(signed)
            return await account.cancel([signed[0].order_id, "0xold"])

        assert [(one.confirmed, one.matched) for one in ask(server, question)] == [(False, False), (True, True)]

    def test_that_do_not_find_an_accepted_order_prove_that_it_is_gone(self, server):
        server.on("DELETE /orders", lambda request: Answer(json={"not_canceled": dict.fromkeys(request.json(), GONE)}))

        async def question(account):
            signed = sign(account)
            legs = [{"success": True, "orderID": signed[0].order_id, "errorMsg": "", "status": "live"}]
            server.on("POST /orders", Answer(json=legs))
            await account.post(signed)
            return await account.cancel([signed[0].order_id])

        assert [(one.confirmed, one.matched) for one in ask(server, question)] == [(True, True)]
