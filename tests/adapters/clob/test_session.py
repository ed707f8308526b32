"""API credentials and signed headers: how they are come by, how they are renewed, and what a 401 means."""

import asyncio

import pytest

from copytrade.adapters.signing import verify_l1, verify_l2
from copytrade.app.ports import PostFate, Refusal
from copytrade.errors import BadAnswer, Unreachable
from tests.adapters.clob.talking import CREDENTIALS, WALLET, ask, sign
from tests.adapters.loopback import Answer, Drop, Loopback

RENEWED = {**CREDENTIALS, "apiKey": "key-2"}
MONEY = Answer(json={"balance": "1000000"})
NOT_YOU = Answer(status=401, json={"error": "Unauthorized/Invalid api key"})


@pytest.fixture
def server():
    with Loopback() as server:
        server.on("GET /auth/derive-api-key", Answer(json=CREDENTIALS))
        server.on("GET /balance-allowance", MONEY)
        yield server


def only_for(key, answer):
    """An exchange that knows one API key and no other."""
    return lambda request: answer if request.headers["poly_api_key"] == key else NOT_YOU


def paths(server):
    return [f"{request.method} {request.path}" for request in server.requests]


def cash(account):
    return account.cash()


class TestCredentials:
    """Derived first, created only where there are none."""

    def test_are_derived_once_for_all_that_ask_at_once(self, server):
        async def question(account):
            return await asyncio.gather(*(account.cash() for _ in range(5)))

        assert ask(server, question) == [1] * 5
        assert paths(server).count("GET /auth/derive-api-key") == 1
        assert "POST /auth/api-key" not in paths(server)

    @pytest.mark.parametrize(
        "none",
        [
            Answer(status=400, json={"error": "Could not derive api key!"}),
            Answer(status=404),
            Answer(body=b"null"),
            Answer(),
            Answer(json={"apiKey": "", "secret": "", "passphrase": ""}),
        ],
    )
    def test_are_created_where_there_are_none(self, server, none):
        server.on("GET /auth/derive-api-key", none)
        server.on("POST /auth/api-key", Answer(json=CREDENTIALS))
        assert ask(server, cash) == 1
        assert paths(server) == ["GET /auth/derive-api-key", "POST /auth/api-key", "GET /balance-allowance"]

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            (Answer(status=401, json={"error": "Invalid L1 Request headers"}), Unreachable),
            (Answer(status=500), Unreachable),
            (Drop(), Unreachable),
            (Answer(body=b"<html>"), BadAnswer),
            (Answer(json={"apiKey": "key-1"}), BadAnswer),
        ],
    )
    def test_are_not_created_for_any_other_reason(self, server, said, error):
        server.on("GET /auth/derive-api-key", said)
        with pytest.raises(error):
            ask(server, cash)
        assert paths(server) == ["GET /auth/derive-api-key"]

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            (Answer(status=400, json={"error": "Could not create api key"}), Unreachable),
            (Drop(), Unreachable),
            (Answer(body=b"null"), BadAnswer),
        ],
    )
    def test_may_not_be_had_at_all(self, server, said, error):
        server.on("GET /auth/derive-api-key", Answer(status=404))
        server.on("POST /auth/api-key", said)
        with pytest.raises(error):
            ask(server, cash)
        assert paths(server).count("POST /auth/api-key") == 1

    def test_that_can_not_be_had_mean_that_nothing_is_sent(self, server):
        server.on("GET /auth/derive-api-key", Answer(status=500))

        async def question(account):
            signed = sign(account, 20)
            return await account.post(signed), await account.cancel([signed[0].order_id])

        posted, cancelled = ask(server, question)
        assert {(one.fate, one.refusal) for one in posted} == {(PostFate.REFUSED, Refusal.BUSY)}
        assert {one.words[:8] for one in posted} == {"not sent"}
        assert [one.confirmed for one in cancelled] == [False]
        assert not [path for path in paths(server) if "/orders" in path]


class TestHeaders:
    def test_prove_the_key_and_sign_what_is_sent(self, server):
        server.on("POST /orders", Answer(json=[]))

        async def question(account):
            await account.cash()
            await account.post(sign(account, 2))

        ask(server, question)
        derived, read, sent = server.requests
        assert verify_l1(derived.headers) == WALLET
        for request, body in ((read, None), (sent, sent.body.decode())):
            assert request.headers["poly_address"] == WALLET
            verify_l2(request.headers, CREDENTIALS["secret"], method=request.method, path=request.path, body=body)
        assert [leg["owner"] for leg in sent.json()] == ["key-1", "key-1"]


class TestA401:
    """Rule 2: a read derives anew once and asks again; a post was refused for certain, and is not sent twice."""

    def test_lets_a_read_ask_again_with_new_credentials(self, server):
        server.on("GET /auth/derive-api-key", Answer(json=CREDENTIALS), Answer(json=RENEWED))
        server.on("GET /balance-allowance", only_for("key-2", MONEY))

        async def question(account):
            return [await account.cash(), await account.cash()]

        assert ask(server, question) == [1, 1]
        keys = [request.headers.get("poly_api_key") for request in server.asked("GET /balance-allowance")]
        assert keys == ["key-1", "key-2", "key-2"]

    def test_to_many_reads_at_once_derives_once(self, server):
        server.on("GET /auth/derive-api-key", Answer(json=CREDENTIALS), Answer(json=RENEWED))
        server.on("GET /balance-allowance", only_for("key-2", MONEY))

        async def question(account):
            return await asyncio.gather(*(account.cash() for _ in range(5)))

        assert ask(server, question) == [1] * 5
        assert paths(server).count("GET /auth/derive-api-key") == 2

    def test_to_new_credentials_too_is_the_answer(self, server):
        server.on("GET /balance-allowance", NOT_YOU)
        with pytest.raises(Unreachable, match="401"):
            ask(server, cash)
        assert paths(server).count("GET /balance-allowance") == 2
        assert paths(server).count("GET /auth/derive-api-key") == 2

    def test_refuses_a_post_and_only_the_second_one_in_a_row_is_held_against_the_account(self, server):
        server.on("POST /orders", NOT_YOU)

        async def question(account):
            told = []
            for money_between in (False, False, True, False):
                if money_between:
                    await account.cash()
                told += await account.post(sign(account))
            return [(one.fate, one.refusal) for one in told]

        other, account = (PostFate.REFUSED, Refusal.OTHER), (PostFate.REFUSED, Refusal.ACCOUNT)
        assert ask(server, question) == [other, account, other, account]
        assert paths(server).count("POST /orders") == 4

    def test_stops_the_batches_that_have_not_left(self, server):
        server.on("POST /orders", NOT_YOU)

        async def question(account):
            return await account.post(sign(account, 90))

        answers = ask(server, question)
        assert {(one.fate, one.refusal) for one in answers} == {(PostFate.REFUSED, Refusal.OTHER)}
        assert paths(server).count("POST /orders") == 4  # a burst of 60; the other 30 waited

    def test_leaves_a_cancel_unconfirmed_and_the_next_one_has_new_credentials(self, server):
        server.on("GET /auth/derive-api-key", Answer(json=CREDENTIALS), Answer(json=RENEWED))
        server.on("DELETE /orders", only_for("key-2", Answer(json={"canceled": ["0xa"], "not_canceled": {}})))

        async def question(account):
            return [*await account.cancel(["0xa"]), *await account.cancel(["0xa"])]

        assert [one.confirmed for one in ask(server, question)] == [False, True]
