"""Who is asking, and what exactly was signed: the checks that stand before the engine's.

L1 is proved by an EIP-712 signature of the key, L2 by the HMAC of the request under the key's API credentials. A posted
order must be by the sending key, from a wallet of that key, with that wallet's signature type, and signed for the very
contract that its token is traded at; its integer amounts are taken apart exactly.
Words: API.md "Which client", "Orders"; the vendor's page on error codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import frozen

from copytrade.adapters.signing import BadSignature, exchange_for, verify, verify_l1, verify_l2
from copytrade.adapters.signing import Exchange as Contract
from copytrade.adapters.simulated.checks import invalid
from copytrade.adapters.simulated.records import NewOrder, OrderType, Wallet
from copytrade.adapters.simulated.world import World
from copytrade.domain.model import Side

UNIT = 1_000_000
_SIGNED_VERSION = 2  # of the orders whose signatures can be checked here
_CENT_SHARE = UNIT // 100

BAD_KEY = "Unauthorized/Invalid api key"
BAD_L1 = "Invalid L1 Request headers"
BAD_PAYLOAD = "Invalid order payload"
WRONG_OWNER = "the order owner has to be the owner of the API KEY"
WRONG_SIGNER = "the order signer address has to be the address of the API KEY"
WRONG_MAKER = "maker address not allowed, please use the deposit wallet flow"
WRONG_SIGNATURE = "invalid signature"
NO_ALLOWANCE = "not enough balance / allowance"
WRONG_VERSION = "order_version_mismatch"  # signed for another contract than this token's, or one of before


class Denied(Exception):
    """This request as a whole is refused, with an HTTP status and the exchange's words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


@frozen(kw_only=True)
class Caller:
    """Whose API key this is: the signing key's address, in lower case."""

    address: str
    api_key: str


def l1(headers: Mapping[str, str]) -> str:
    """The address whose key signed these headers, in lower case. Raises Denied."""
    try:
        return verify_l1(headers).lower()
    except BadSignature:
        raise Denied(401, BAD_L1) from None


def l2(world: World, headers: Mapping[str, str], *, method: str, path: str, body: str) -> Caller:
    """Whose key sent this request. Raises Denied."""
    address = headers.get("poly_address", "").lower()
    known = world.credentials(address)
    if address not in world.made_keys:
        raise Denied(401, BAD_KEY)
    if (headers.get("poly_api_key"), headers.get("poly_passphrase")) != (known.key, known.passphrase):
        raise Denied(401, BAD_KEY)
    stamp = headers.get("poly_timestamp", "")
    if not stamp.isdecimal():
        raise Denied(401, BAD_KEY)
    if world.max_skew_sec is not None and abs(Decimal(stamp) - world.exchange.now) > world.max_skew_sec:
        raise Denied(401, BAD_KEY)
    try:
        verify_l2(headers, known.secret, method=method, path=path, body=body)
    except BadSignature:
        raise Denied(401, BAD_KEY) from None
    return Caller(address=address, api_key=known.key)


def wallet_of(world: World, caller: Caller, signature_type: int | None = None) -> Wallet | None:
    """The wallet of a key: the one of that signature type, where the key has several."""
    own = [wallet for wallet in world.exchange.wallets.values() if wallet.signer == caller.address]
    if signature_type is not None:
        own = [wallet for wallet in own if wallet.signature_type == signature_type]
    return own[0] if own else None


def read_leg(world: World, caller: Caller, leg: object) -> NewOrder | str:
    """One posted order: what is asked of the engine, or why this leg is refused. Raises Denied for the request."""
    order, order_type, owner, post_only = _parts(leg)
    if owner != caller.api_key:
        raise Denied(400, WRONG_OWNER)
    maker = str(order.get("maker", "")).lower()
    wallet = world.exchange.wallets.get(maker)
    if wallet is None or wallet.signer != caller.address or order.get("signatureType") != wallet.signature_type:
        return WRONG_MAKER
    if wallet.banned:
        raise Denied(400, f"'{maker}' address banned")
    if wallet.closed_only:
        raise Denied(400, f"'{maker}' address in closed only mode")
    signs = wallet.address if wallet.signature_type == 3 else caller.address
    if str(order.get("signer", "")).lower() != signs:
        return WRONG_SIGNER
    if world.clob_version != _SIGNED_VERSION:
        return WRONG_VERSION
    token_id = str(order.get("tokenId"))
    known = world.exchange.market_of(token_id)
    if known is None or token_id not in world.exchange.books:
        return f"the orderbook {token_id} does not exist"
    contract = exchange_for(token_id, known[0].neg_risk)
    order_id = _signed_id(order, contract, caller.address)
    if not order_id.startswith("0x"):
        return order_id
    if contract.address().lower() in wallet.unapproved:
        return NO_ALLOWANCE
    return _new_order(order, order_type, post_only, order_id, wallet, caller, known[0].tick_size)


def _parts(leg: object) -> tuple[dict[str, Any], OrderType, object, bool]:
    order = leg.get("order") if isinstance(leg, dict) else None
    if not isinstance(leg, dict) or not isinstance(order, dict):
        raise Denied(400, BAD_PAYLOAD)
    try:
        order_type = OrderType(str(leg.get("orderType")))
    except ValueError:
        raise Denied(400, BAD_PAYLOAD) from None
    post_only = leg.get("postOnly", False)
    if not isinstance(post_only, bool):
        raise Denied(400, BAD_PAYLOAD)
    return order, order_type, leg.get("owner"), post_only


def _signed_id(order: Mapping[str, Any], contract: Contract, address: str) -> str:
    """The order id, or in words what is wrong with the signature."""
    try:
        return verify(order, contract, key_address=address).order_id
    except BadSignature:
        pass
    for another in Contract:
        try:
            verify(order, another, key_address=address)
        except BadSignature:
            continue
        return WRONG_VERSION
    return WRONG_SIGNATURE


def _new_order(
    order: Mapping[str, Any],
    order_type: OrderType,
    post_only: bool,
    order_id: str,
    wallet: Wallet,
    caller: Caller,
    tick_size: Decimal,
) -> NewOrder | str:
    side = Side(order["side"])
    maker_amount, taker_amount = int(order["makerAmount"]), int(order["takerAmount"])
    pusd, shares = (maker_amount, taker_amount) if side is Side.BUY else (taker_amount, maker_amount)
    if not shares or not pusd:
        raise Denied(400, BAD_PAYLOAD)
    if shares % _CENT_SHARE:
        return f"invalid amounts, the {side.value} size supports a max accuracy of 2 decimals"
    price = Decimal(pusd) / Decimal(shares)
    if price * shares != pusd:  # an amount that lost a cent is no price on any tick
        return invalid(order_id, f"Price ({price}) breaks minimum tick size rule: {tick_size}")
    expiration = str(order.get("expiration", "0"))
    if not expiration.isdecimal():
        raise Denied(400, BAD_PAYLOAD)
    return NewOrder(
        order_id=order_id,
        wallet=wallet.address,
        token_id=str(order["tokenId"]),
        side=side,
        price=price,
        size=Decimal(shares) / UNIT,
        order_type=order_type,
        post_only=post_only,
        expiration=int(expiration),
        api_key=caller.api_key,
    )
