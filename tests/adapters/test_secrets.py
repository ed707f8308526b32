"""DESIGN 7: no secret reaches a log, an error, the state, the journal or a process listing.

The account of the real adapters talks to a service that says all that it was told back to us, headers and body, in
whatever it answers: a refusal, an outage, an answer that makes no sense. Everything that could then be shown to anybody
(results, errors with all that they drag along, reprs, the whole log at its loudest) is searched for every secret.
"""

import asyncio
import base64
import io
import json
import logging
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from typing import Any

import pytest
import structlog

from copytrade.adapters.clob import ClobAccount, ClobHttp
from copytrade.adapters.keys import SecretKey
from copytrade.adapters.logs import set_up_logging
from copytrade.adapters.signing import ApiCredentials, OrderSigner
from copytrade.adapters.system_clock import SystemClock
from copytrade.app.ports import ToSign
from copytrade.domain.model import Side
from copytrade.errors import VenueError
from tests.adapters.loopback import Answer, Loopback, Request

# Made up here, and nobody's.
KEY = "0x" + "7b31" * 16
API_KEY = "0f9a1c52-7d3e-4b8a-9c60-5e2d1f4a7b93"
API_SECRET = base64.urlsafe_b64encode(bytes(range(190, 222))).decode()
PASSPHRASE = "d1ce" * 16
CREDENTIALS = {"apiKey": API_KEY, "secret": API_SECRET, "passphrase": PASSPHRASE}
WALLET = "0xAbCdEf0123456789aBcDeF0123456789AbCdEf01"
ORDER_ID = "0x" + "ab" * 32
SECRETS = (KEY[2:], str(int(KEY, 16)), API_KEY, API_SECRET, API_SECRET.rstrip("="), PASSPHRASE)

TO_SIGN = ToSign(
    token_id="71321045679252212594626385532706912750332728571942532289631379312455583992563",
    side=Side.BUY,
    price=Decimal("0.61"),
    size=Decimal(10),
    tick_size=Decimal("0.01"),
    neg_risk=False,
    expiration=4_000_000_000,
    post_only=True,
)


PART = 12  # characters of a secret that nobody may see: a text that is cut in the middle of one shows a part


def shown_parts(text: str) -> set[str]:
    low = text.lower()
    parts = {secret[at : at + PART].lower() for secret in SECRETS for at in range(len(secret) - PART + 1)}
    return {part for part in parts if part in low}


def clean(text: str) -> None:
    assert shown_parts(text) == set()


def leaky(texts: tuple[str, ...]) -> bool:
    return any(shown_parts(text) for text in texts)


def dragged_along(error: BaseException) -> str:
    """All that a reporter may print of an error, even one that walks past what Python's own traceback stops at."""
    shown, seen, left = [], set(), [error]
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        shown += [str(each), repr(each), *traceback.format_exception(each, chain=False)]
        left += [other for other in (each.__cause__, each.__context__) if other is not None]
    return "\n".join(shown)


def told_back(status: int, form: str, *, first: str = PASSPHRASE + "." * 1000) -> Callable[[Request], Answer]:
    """An answer that repeats the whole request, as a careless service or a debugging proxy does; `first` leads it."""

    def answer(request: Request) -> Answer:
        headers = " ".join(f"{name}={value}" for name, value in request.headers.items())
        told = f"{first} {headers} {'/'.join(CREDENTIALS.values())} {request.body.decode()}"
        bodies = {
            "error": json.dumps({"error": told}),
            "leg": json.dumps([{"success": False, "errorMsg": told}]),
            "not cancelled": json.dumps({"canceled": [], "not_canceled": {ORDER_ID: told}}),
            "page": f"<html>{told}</html>",
            "other keys": json.dumps({"data": [{"id": told}], "headers": dict(request.headers)}),
            "torn": '{"error": "' + told,
            "bare": told,
        }
        return Answer(status=status, body=bodies[form].encode())

    return answer


FORMS = ("error", "leg", "not cancelled", "page", "other keys", "torn", "bare")
STATUSES = (200, 400, 401, 404, 429, 500)


@pytest.fixture(scope="module")
def signer() -> OrderSigner:
    return OrderSigner(SecretKey(KEY, source="here").reveal(), funder=WALLET, signature_type=2)


@pytest.fixture(params=["text", "json"])
def log(request) -> Iterator[Callable[[], str]]:
    """The log at its loudest: even of the libraries that `set_up_logging` tells to be quiet."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    stream = io.StringIO()
    set_up_logging(level="debug", form=request.param, stream=stream)
    loud = [logging.getLogger(name) for name in ("httpx", "httpcore", "asyncio")]
    for logger in loud:
        logger.setLevel(logging.DEBUG)
    yield stream.getvalue
    root.handlers[:], sys.excepthook, threading.excepthook = before[0], before[2], before[3]
    root.setLevel(before[1])
    for logger in loud:
        logger.setLevel(logging.NOTSET)
    structlog.reset_defaults()


def all_of(account: ClobAccount) -> list[Callable[[], Coroutine[Any, Any, object]]]:
    """Everything that the account is ever asked."""
    signed = account.sign([TO_SIGN])
    return [
        account.open_orders,
        lambda: account.look_up(ORDER_ID),
        lambda: account.fills(after=Decimal(1)),
        account.cash,
        lambda: account.balance(TO_SIGN.token_id),
        account.refresh_cash,
        lambda: account.post(signed),
        lambda: account.cancel([ORDER_ID]),
    ]


def asked(server: Loopback, signer: OrderSigner) -> tuple[str, str]:
    """Ask all of it: what it came to, and what went wrong. It is all logged, by a caller who knows no caution."""

    async def ask() -> tuple[str, str]:
        shown, wrong = [], []
        http = ClobHttp(server.url, attempts=1)
        async with http:
            account = ClobAccount(http, signer, SystemClock())
            for question in all_of(account):
                try:
                    result = await question()
                except VenueError as error:
                    wrong.append(dragged_along(error))
                    structlog.get_logger().exception("failed", error=error, shown=str(error))
                else:
                    shown.append(repr(result))
                    structlog.get_logger().info("answered", result=result)
            shown += map(repr, (account, http, signer, vars(account), account._session))
            structlog.get_logger().info("held", account=account, http=http, signer=signer, inside=vars(account))
        return "\n".join(shown), "\n".join(wrong)

    return asyncio.run(ask())


def asked_of(said: Callable[[Request], Answer], signer: OrderSigner) -> tuple[str, str]:
    with Loopback() as server:
        server.on("GET /auth/derive-api-key", Answer(json=CREDENTIALS))
        for method in ("GET", "POST", "DELETE"):
            server.on(f"{method} /*", said)
        came = asked(server, signer)
        # They did go out, so there was something to hide.
        sent = [request for request in server.requests if request.path != "/auth/derive-api-key"]
        assert {request.headers.get("poly_passphrase") for request in sent} == {PASSPHRASE}
        assert any(API_KEY.encode() in request.body for request in server.asked("POST /orders"))
    return came


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", STATUSES)
def test_a_service_that_tells_everything_back_makes_us_show_none_of_it(signer, log, status, form):
    results, _ = asked_of(told_back(status, form), signer)
    assert "failed" in log() or "answered" in log()
    clean(results)
    clean(log())


@pytest.mark.parametrize("log", ["text"], indirect=True)
def test_nor_do_errors_on_their_own_before_any_log_redacts_them(signer, log):
    """An error's text is printed by the command line, too."""
    leaks = {
        (status, form) for status in STATUSES for form in FORMS if leaky(asked_of(told_back(status, form), signer))
    }
    assert leaks == set()


@pytest.mark.parametrize("log", ["text"], indirect=True)
def test_nor_where_a_text_is_cut_short_inside_a_secret(signer, log):
    """Half a secret is not known for one, so whatever quotes an answer redacts it first and cuts it then.

    So many secrets in a row that wherever it is cut, it is cut inside one.
    """
    row = "/".join([*CREDENTIALS.values()] * 20)
    leaks = {
        (status, form)
        for status in STATUSES
        for form in FORMS
        if leaky(asked_of(told_back(status, form, first=row), signer))
    }
    assert leaks == set()
    clean(log())


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("log", ["text"], indirect=True)
def test_nor_when_there_are_no_credentials_to_be_had(signer, log, status, form):
    """Nothing but the key's own signature is known here; that the service names ours is beyond all likelihood."""

    def answer(request: Request) -> Answer:
        said = told_back(status, form)(request).encoded().partition(b"\r\n\r\n")[2].decode()
        for known in CREDENTIALS.values():
            said = said.replace(known, "-")
        return Answer(status=status, body=said.encode())

    with Loopback() as server:
        server.on("GET /auth/derive-api-key", answer)
        server.on("POST /auth/api-key", answer)
        results, errors = asked(server, signer)
    clean(results + errors)
    clean(log())


def test_an_order_carries_neither_the_key_nor_the_credentials(signer):
    """What is signed is written to the state as an intent, and to the journal."""
    order = signer.sign_order(TO_SIGN, salt=1, timestamp_ms=1)
    clean(repr(order))
    clean(json.dumps(dict(order.payload)))


def test_credentials_do_not_show():
    credentials = ApiCredentials(key=API_KEY, secret=API_SECRET, passphrase=PASSPHRASE)
    clean(f"{credentials} {credentials!r} {[credentials]} {credentials!s:>80}")


def test_a_process_listing_shows_no_key_and_our_environment_has_none_left():
    """Arguments are for everyone to see, so no flag takes a key; the variable is gone once it was read."""
    code = (
        "import os, subprocess as sub, sys\n"
        "from copytrade.adapters.keys import load_key\n"
        f"load_key(wallet={WALLET!r})\n"
        "child = [sys.executable, '-c', 'import os; print(os.environ)']\n"
        "shown = sub.run(child, capture_output=True, text=True)\n"
        "print(os.environ, sys.argv, shown.stdout)\n"
    )
    environ = {"COPYTRADE_PRIVATE_KEY": KEY, "PATH": "/usr/bin:/bin", "MARK": "was here"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.count("was here") == 2
    clean(done.stdout)
