"""What `doctor` and the start of a run ask of the exchange: account state, allowances, tier, order version.

Rule 1: nothing here places, cancels or moves anything. The one thing that can come to be at the exchange is a pair of
        API credentials, and only where the caller says so.
Rule 2: a definite no (401, 403, 451, or words that mean the account) is `Refused`, in the exchange's words; whatever
        passes by itself stays Unreachable.

How a banned account is answered here is not documented [?]; its words are looked for wherever an answer has any.
Source: API.md "Which client", "Orders", "Limits that bind"; py-clob-client-v2 and polymarket-client for
`/auth/ban-status/closed-only` ({"closed_only": bool}); the vendor's page for `/v1/user/rate-limit-tier`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from decimal import Decimal
from typing import TypeVar

from copytrade.adapters.clob import decoding
from copytrade.adapters.clob.posting import reason
from copytrade.adapters.clob.refusals import refusal_of
from copytrade.adapters.clob.session import Session
from copytrade.adapters.http import Http, StatusError, decode
from copytrade.adapters.signing import Exchange, OrderSigner
from copytrade.app.ports import Contract, Funds, Refusal, Region
from copytrade.domain.ids import IdKind, kind_of
from copytrade.domain.model import TokenId
from copytrade.errors import BadAnswer, Refused

_DEFINITE = frozenset({401, 403, 451})
_CONTRACTS = {Exchange.CTF_V2: Contract.ORDINARY, Exchange.NEG_RISK_V2: Contract.NEG_RISK, Exchange.V3: Contract.V3}

T = TypeVar("T")


class ClobChecks:
    """The `ExchangeChecks` port."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def order_version(self) -> int:
        """See the port."""
        match decode(await self._http.read("GET", "/version")):
            case {"version": int(version)} if not isinstance(version, bool):
                return version
            case _:
                raise BadAnswer("GET /version: wanted an object with a version")


class AccountState:
    """The `AccountChecks` port, for the wallet of one signer, over the session of its account."""

    def __init__(self, session: Session, signer: OrderSigner) -> None:
        self._session = session
        self._signer = signer

    async def has_credentials(self, *, make: bool) -> bool:
        """See the port."""
        if make:
            await _said(self._session.credentials())
            return True
        return await _said(self._session.derive())

    async def closed_only(self) -> bool:
        """See the port."""
        answer = decoding.private(await _said(self._session.read("/auth/ban-status/closed-only")))
        match answer:
            case {"closed_only": bool(closed)}:
                return closed
            case _:
                raise BadAnswer("closed-only: wanted an object with closed_only, true or false")

    async def funds(self, token_id: TokenId | None = None) -> Funds:
        """See the port."""
        kind = "COLLATERAL"
        if token_id is not None:
            kind = "CONDITIONAL" if kind_of(token_id) is IdKind.CTF else "CONDITIONAL-V2"
        token = [("token_id", token_id)] if token_id is not None else []
        asset = [("asset_type", kind), *token, ("signature_type", str(self._signer.signature_type))]
        await _said(self._session.read("/balance-allowance/update", asset))
        raw = await _said(self._session.read("/balance-allowance", asset))
        return Funds(balance=decoding.balance(raw), allowances=allowances(raw, self._signer.chain_id))

    async def tier(self) -> str:
        """See the port."""
        match decoding.private(await _said(self._session.read("/v1/user/rate-limit-tier"))):
            case {"tier": str(name)}:
                return name[:40]
            case _:
                return ""


def allowances(raw: bytes, chain_id: int) -> dict[Contract, Decimal]:
    """How much each of the exchange's contracts may take, from `{"allowances": {address: millionths}}`.

    Contracts that trade nothing of ours (adapters, older exchanges) are left out, odd amounts too.
    """
    row = decoding.a_row(decoding.private(raw), "the balance")
    told = row.get("allowances")
    found: dict[Contract, Decimal] = {}
    addresses = {exchange.address(chain_id).lower(): contract for exchange, contract in _CONTRACTS.items()}
    for address, amount in told.items() if isinstance(told, dict) else ():
        contract = addresses.get(str(address).lower())
        if contract is not None and str(amount).isdecimal() and not isinstance(amount, bool):
            found[contract] = Decimal(f"{int(amount)}E-6")
    return found


async def _said(asking: Awaitable[T]) -> T:
    """The answer, or the exchange's definite no as Refused."""
    try:
        return await asking
    except StatusError as error:
        words = _words(error.body)
        no = error.status in _DEFINITE or (400 <= error.status < 500 and refusal_of(words) is Refusal.ACCOUNT)
        if no:
            raise Refused(words or f"status {error.status}") from None
        raise


def _words(body: bytes) -> str:
    try:
        return reason(decode(body))
    except BadAnswer:
        return ""


class Site:
    """The `Place` port: `GET /api/geoblock`, which is at the site and not at the exchange."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def region(self) -> Region:
        """See the port. The answer holds our network address, which is not kept."""
        match decode(await self._http.read("GET", "")):
            case {"blocked": bool(blocked), "country": str(country)}:
                return Region(blocked=blocked, country=country[:2])
            case {"blocked": bool(blocked)}:
                return Region(blocked=blocked)
            case _:
                raise BadAnswer("geoblock: wanted an object with blocked, true or false")
