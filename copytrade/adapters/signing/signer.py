"""One signing key and the wallet that it signs for: orders (EIP-712) and request headers (L1: the key, L2: HMAC).

Whose address stands where, by signature type:

    type                        maker     signer    POLY_ADDRESS   funder (= my_address)
    0 EOA                       key's     key's     key's          the key's address
    1 POLY_PROXY, 2 SAFE        funder    key's     key's          the proxy or safe
    3 POLY_1271                 funder    funder    key's          the deposit wallet

The signature of type 3 wraps the key's signature (ERC-7739); the order id is the plain EIP-712 hash all the same.
Nothing of the vendor's runs here: both of its clients are what the tests compare every byte with.
Source: API.md "Which client", "The order id is known before posting"; py_clob_client_v2.order_builder.builder, headers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any

from attrs import Attribute, field, frozen

from copytrade.adapters.signing.exchanges import POLYGON, Exchange, exchange_for
from copytrade.adapters.signing.orders import SALT_BITS, amounts
from copytrade.app.ports import SignedOrder, ToSign
from copytrade.domain.model import Side
from copytrade.errors import BadInput, Fault

if TYPE_CHECKING:
    from copytrade.adapters.signing.curve import Key

EOA, POLY_PROXY, GNOSIS_SAFE, POLY_1271 = range(4)

_KEY = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


def _base64(_: object, attribute: Attribute[str], value: str) -> None:
    # b64decode would drop odd characters without a word, and sign with another secret.
    if not _BASE64.fullmatch(value) or len(value.rstrip("=")) % 4 == 1:
        raise ValueError(f"{attribute.name} must be base64")


@frozen(kw_only=True)
class ApiCredentials:
    """What L2 requests are signed with. All three are secret: whoever has them can cancel and place orders."""

    key: str = field(repr=False)  # a UUID; the `owner` of an order
    secret: str = field(repr=False, validator=_base64)  # URL-safe base64, sometimes without its padding
    passphrase: str = field(repr=False)


class OrderSigner:
    """Signs for one wallet on one chain. Holds the key, and never shows it."""

    __slots__ = ("_hashes", "_key", "_signer", "address", "chain_id", "funder", "signature_type")

    def __init__(self, private_key: str | bytes, *, funder: str, signature_type: int, chain_id: int = POLYGON) -> None:
        """`private_key`: 32 bytes, or 64 hex digits with or without "0x". `funder`: the wallet that holds the money.

        Raises BadInput, with every fault at once and without the key, for what can't be a key or a wallet and for
        combinations that the exchange would refuse order by order.
        """
        key = _key_of(private_key)
        del private_key  # a traceback that shows local variables shall not have it
        self.address = key.address if key is not None else ""  # the key's, checksummed
        self.funder, self.signature_type, self.chain_id = funder, signature_type, chain_id
        faults = []
        if key is None:
            faults.append(Fault(path="signing key", got="something else", wants="a private key: 64 hex digits"))
        if not _ADDRESS.fullmatch(funder):
            faults.append(Fault(path="my_address", got=repr(funder), wants="0x and 40 hex digits"))
        if signature_type not in range(4):
            wants = "0 (EOA), 1 (proxy), 2 (safe) or 3 (deposit wallet)"
            faults.append(Fault(path="signature_type", got=repr(signature_type), wants=wants))
        if key is not None and not faults:
            same = funder.lower() == self.address.lower()
            if signature_type == EOA and not same:
                wants = f"the key's own address {self.address} for signature_type 0; 1, 2 or 3 for another wallet"
                faults.append(Fault(path="my_address", got=funder, wants=wants))
            if signature_type != EOA and same:
                wants = f"the wallet that the key owns for signature_type {signature_type}; 0 for the key's own address"
                faults.append(Fault(path="my_address", got=f"the key's own address {funder}", wants=wants))
        if key is None or faults:
            raise BadInput("signing", faults)

        # Here, not above: the curve and its hashes take 0.15 s to import, and most commands sign nothing.
        from eth_utils.address import to_checksum_address

        from copytrade.adapters.signing.hashing import OrderHashes

        self._key = key
        self.funder = to_checksum_address(funder)
        self._signer = self.funder if signature_type == POLY_1271 else self.address
        self._hashes = {
            exchange: OrderHashes(
                exchange, chain_id, maker=self.funder, signer=self._signer, signature_type=signature_type
            )
            for exchange in Exchange
        }

    def __repr__(self) -> str:
        return f"OrderSigner(address={self.address}, funder={self.funder}, signature_type={self.signature_type})"

    def __reduce__(self) -> Any:
        raise TypeError("a signing key is not written down")

    def sign_order(self, order: ToSign, *, salt: int, timestamp_ms: int) -> SignedOrder:
        """The order, ready to post and with its id. GTD always, so that a dead process leaves nothing resting.

        `timestamp_ms` is when it was made, milliseconds since the epoch; `order.expiration` is in seconds and not
        signed. Raises BadInput where the order can't be signed as it was decided (see `amounts`, `exchange_for`).
        """
        hashes = self._hashes[exchange_for(order.token_id, order.neg_risk)]
        maker_amount, taker_amount = amounts(order.side, order.price, order.size, order.tick_size)
        assert order.expiration > 0, "an order without an expiration would outlive us"
        assert timestamp_ms > 0, "0 makes the exchange's clock and ours two different stories"
        assert 0 <= salt < 1 << SALT_BITS, "a salt is a JSON number and must be read exactly"

        contents = hashes.contents(
            salt=salt,
            token_id=int(order.token_id),
            maker_amount=maker_amount,
            taker_amount=taker_amount,
            sell=order.side is Side.SELL,
            timestamp_ms=timestamp_ms,
        )
        digest = hashes.digest(contents)
        if self.signature_type == POLY_1271:
            signature = self._key.signature(hashes.wrapped_digest(contents)) + hashes.wrapping(contents)
        else:
            signature = self._key.signature(digest)
        posted = {
            "salt": salt,
            "maker": self.funder,
            "signer": self._signer,
            "tokenId": order.token_id,
            "makerAmount": str(maker_amount),
            "takerAmount": str(taker_amount),
            "side": order.side.value,
            "expiration": str(order.expiration),
            "signatureType": self.signature_type,
            "timestamp": str(timestamp_ms),
            "metadata": _NONE,
            "builder": _NONE,
            "signature": "0x" + signature.hex(),
        }
        return SignedOrder(
            order_id="0x" + digest.hex(),
            token_id=order.token_id,
            side=order.side,
            price=order.price,
            size=order.size,
            expiration=order.expiration,
            # Without the owner: see `leg`.
            payload={"order": posted, "orderType": "GTD", "deferExec": False, "postOnly": order.post_only},
        )

    def l1_headers(self, *, timestamp: int, nonce: int = 0) -> dict[str, str]:
        """Headers that prove the key itself, to derive or create API credentials. `timestamp` in seconds."""
        from copytrade.adapters.signing.hashing import l1_digest

        digest = l1_digest(address=self.address, chain_id=self.chain_id, timestamp=timestamp, nonce=nonce)
        return {
            "POLY_ADDRESS": self.address,
            "POLY_SIGNATURE": "0x" + self._key.signature(digest).hex(),
            "POLY_TIMESTAMP": str(timestamp),
            "POLY_NONCE": str(nonce),
        }

    def l2_headers(
        self, credentials: ApiCredentials, *, timestamp: int, method: str, path: str, body: str | None = None
    ) -> dict[str, str]:
        """Headers of one authenticated request. `timestamp` in seconds.

        `path` is without the query, which is not signed; `body` is the very text that will be sent.
        """
        assert method == method.upper(), "the exchange hashes the method in upper case"
        assert "?" not in path, "the query is not signed"
        secret = base64.urlsafe_b64decode(credentials.secret + "=" * (-len(credentials.secret) % 4))
        text = f"{timestamp}{method}{path}{body or ''}"
        return {
            "POLY_ADDRESS": self.address,
            "POLY_SIGNATURE": base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), hashlib.sha256)).decode(),
            "POLY_TIMESTAMP": str(timestamp),
            "POLY_API_KEY": credentials.key,
            "POLY_PASSPHRASE": credentials.passphrase,
        }


_NONE = "0x" + "00" * 32  # no metadata, no builder code


def _key_of(private_key: str | bytes) -> Key | None:
    """The key, or None where this is none: a library's own error might quote it."""
    from copytrade.adapters.signing.curve import ORDER, Key

    text = private_key.hex() if isinstance(private_key, bytes) else private_key.strip()
    match = _KEY.fullmatch(text)
    if match is None or not 0 < int(match[1], 16) < ORDER:
        return None
    return Key(bytes.fromhex(match[1]))
