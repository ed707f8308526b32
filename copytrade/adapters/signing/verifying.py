"""The exchange's side of signing: whose key signed this order, or these headers?

For the embedded exchange and the tests. Written against eth-account and the standard library, not against the vendor's
signing code, so that a fault there does not check itself. What is not here: balances, nonces seen before, clock skew.

Each check raises BadSignature, with what is wrong in words, and raises nothing else whatever it is fed.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from attrs import frozen

from copytrade.adapters.signing.exchanges import POLYGON, Exchange
from copytrade.domain.ids import is_canonical

_ORDER_FIELDS = (
    ("salt", "uint256"),
    ("maker", "address"),
    ("signer", "address"),
    ("tokenId", "uint256"),
    ("makerAmount", "uint256"),
    ("takerAmount", "uint256"),
    ("side", "uint8"),
    ("signatureType", "uint8"),
    ("timestamp", "uint256"),
    ("metadata", "bytes32"),
    ("builder", "bytes32"),
)
_ORDER_TYPE = ("Order(" + ",".join(f"{kind} {name}" for name, kind in _ORDER_FIELDS) + ")").encode()
_DOMAIN_FIELDS = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))
_WRAPPED_FIELDS = (("contents", "Order"), *_DOMAIN_FIELDS, ("salt", "bytes32"))

_POLY_1271 = 3
_SIDES = {"BUY": 0, "SELL": 1}
_SIGNATURE_BYTES = 65
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_WORD = re.compile(r"0x[0-9a-fA-F]{64}")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})+")


class BadSignature(ValueError):
    """Not signed by who it says, for what it says. For the exchange's answer; no run ever sees it raised."""


@frozen(kw_only=True)
class Verified:
    """An order whose signature holds."""

    order_id: str  # the EIP-712 hash
    exchange: Exchange
    key_address: str  # whose key signed; for types 0 to 2 the order's `signer`, for type 3 the deposit wallet's owner


def verify(
    order: Mapping[str, Any], exchange: Exchange, *, key_address: str | None = None, chain_id: int = POLYGON
) -> Verified:
    """Check the `order` object of a posted leg against the exchange that its token is traded at.

    `key_address` is the address that the sending API key belongs to. Leave it out for types 0 to 2 only to check no
    more than the signature; type 3 proves nothing without it, since any key can sign for a wallet that is not its own.
    """
    message = _message(order)
    signature = _bytes(order.get("signature"), "signature")
    if message["signatureType"] == _POLY_1271:
        if message["maker"].lower() != message["signer"].lower():
            raise BadSignature("type 3: maker and signer must both be the deposit wallet")
        plain, key = _check_wrapped(message, signature, exchange, chain_id)
    else:
        if message["signatureType"] == 0 and message["maker"].lower() != message["signer"].lower():
            raise BadSignature("type 0: maker and signer must both be the key's address")
        plain = _typed(exchange, chain_id, "Order", {"Order": _ORDER_FIELDS}, message)
        key = _recover(_digest(plain), signature)
        if key.lower() != message["signer"].lower():
            raise BadSignature(f"signed by {key} for {exchange.name}, or changed since, not by {message['signer']}")
    if key_address is not None and key.lower() != key_address.lower():
        raise BadSignature("the order signer address has to be the address of the API KEY")
    return Verified(order_id="0x" + _digest(plain).hex(), exchange=exchange, key_address=key)


def _check_wrapped(message: dict[str, Any], signature: bytes, exchange: Exchange, chain_id: int) -> tuple[Any, str]:
    """ERC-7739: the key's signature ‖ domain separator ‖ hash of the contents ‖ their type ‖ its length (2 bytes)."""
    plain = _typed(exchange, chain_id, "Order", {"Order": _ORDER_FIELDS}, message)
    trailer = plain.header + plain.body + _ORDER_TYPE + len(_ORDER_TYPE).to_bytes(2, "big")
    if signature[_SIGNATURE_BYTES:] != trailer:
        raise BadSignature(
            f"type 3: the signature is wrapped for another order, or for another exchange than {exchange.name}"
        )
    wrapped = _typed(
        exchange,
        chain_id,
        "TypedDataSign",
        {"Order": _ORDER_FIELDS, "TypedDataSign": _WRAPPED_FIELDS},
        {
            "contents": message,
            "name": "DepositWallet",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": message["signer"],
            "salt": bytes(32),
        },
    )
    return plain, _recover(_digest(wrapped), signature[:_SIGNATURE_BYTES])


def verify_l1(headers: Mapping[str, str], *, chain_id: int = POLYGON) -> str:
    """Whose key signed these headers: the address in POLY_ADDRESS, proved."""
    address, timestamp, nonce = (_header(headers, name) for name in ("POLY_ADDRESS", "POLY_TIMESTAMP", "POLY_NONCE"))
    if not (_ADDRESS.fullmatch(address) and is_canonical(timestamp) and is_canonical(nonce)):
        raise BadSignature("POLY_ADDRESS, POLY_TIMESTAMP or POLY_NONCE is malformed")
    from eth_account.messages import encode_typed_data

    signed = encode_typed_data(
        full_message={
            "domain": {"name": "ClobAuthDomain", "version": "1", "chainId": chain_id},
            "types": {
                "EIP712Domain": _fields(_DOMAIN_FIELDS[:3]),
                "ClobAuth": _fields(
                    (("address", "address"), ("timestamp", "string"), ("nonce", "uint256"), ("message", "string"))
                ),
            },
            "primaryType": "ClobAuth",
            "message": {
                "address": address,
                "timestamp": timestamp,
                "nonce": int(nonce),
                "message": "This message attests that I control the given wallet",
            },
        }
    )
    key = _recover(_digest(signed), _bytes(_header(headers, "POLY_SIGNATURE"), "POLY_SIGNATURE"))
    if key.lower() != address.lower():
        raise BadSignature("POLY_SIGNATURE is not by the key of POLY_ADDRESS")
    return key


def verify_l2(headers: Mapping[str, str], secret: str, *, method: str, path: str, body: str | None = None) -> None:
    """Is POLY_SIGNATURE the HMAC of this request? Whether POLY_API_KEY and POLY_PASSPHRASE fit is the caller's."""
    text = _header(headers, "POLY_TIMESTAMP") + method + path + (body or "")
    try:
        raw = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
        expected = base64.urlsafe_b64encode(hmac.new(raw, text.encode(), hashlib.sha256).digest())
    except ValueError:  # binascii's and the codecs' errors are ValueErrors too
        raise BadSignature("the secret is not base64, or the request is no text") from None
    if not hmac.compare_digest(expected, _header(headers, "POLY_SIGNATURE").encode()):
        raise BadSignature("POLY_SIGNATURE is not the HMAC of this request")


def _header(headers: Mapping[str, str], name: str) -> str:
    """Names of headers have no case; servers hand them on in lower case."""
    value = headers.get(name) or headers.get(name.lower())
    if not value:
        raise BadSignature(f"{name} is missing")
    return value


def _message(order: Mapping[str, Any]) -> dict[str, Any]:
    """The signed fields of a posted order, as EIP-712 wants them."""
    read: dict[str, Any] = {}
    for name, kind in _ORDER_FIELDS:
        value = order.get(name)
        if name == "side":
            good, read[name] = value in ("BUY", "SELL"), _SIDES.get(str(value))
        elif name == "signatureType":
            good, read[name] = type(value) is int and value in range(4), value
        elif name == "salt":
            good, read[name] = type(value) is int and 0 <= value < 1 << 256, value
        elif kind == "uint256":
            good = isinstance(value, str) and is_canonical(value)
            read[name] = int(value) if good and value is not None else None
        else:
            good = isinstance(value, str) and (_ADDRESS if kind == "address" else _WORD).fullmatch(value) is not None
            read[name] = bytes.fromhex(value[2:]) if good and value is not None and kind == "bytes32" else value
        if not good:
            raise BadSignature(f"{name} is missing or malformed")
    return read


def _typed(exchange: Exchange, chain_id: int, primary: str, types: Mapping[str, Any], message: dict[str, Any]) -> Any:
    from eth_account.messages import encode_typed_data

    return encode_typed_data(
        full_message={
            "primaryType": primary,
            "types": {"EIP712Domain": _fields(_DOMAIN_FIELDS), **{name: _fields(of) for name, of in types.items()}},
            "domain": _domain(exchange, chain_id),
            "message": message,
        }
    )


@lru_cache
def _domain(exchange: Exchange, chain_id: int) -> dict[str, Any]:
    return {
        "name": "Polymarket CTF Exchange",
        "version": exchange.domain_version,
        "chainId": chain_id,
        "verifyingContract": exchange.address(chain_id),
    }


def _fields(of: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in of]


def _digest(signable: Any) -> bytes:
    from eth_utils.crypto import keccak

    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def _bytes(value: object, name: str) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise BadSignature(f"{name} is missing or not hex")
    return bytes.fromhex(value[2:])


def _recover(digest: bytes, signature: bytes) -> str:
    """The checksummed address whose key made this 65-byte signature of the digest."""
    from eth_keys.datatypes import Signature
    from eth_keys.exceptions import BadSignature as NoSuchPoint
    from eth_utils.exceptions import ValidationError

    if len(signature) != _SIGNATURE_BYTES or signature[64] not in (27, 28):
        raise BadSignature("a signature has 65 bytes and ends in 1b or 1c")
    try:
        vrs = (signature[64] - 27, int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"))
        return str(Signature(vrs=vrs).recover_public_key_from_msg_hash(digest).to_checksum_address())
    except (NoSuchPoint, ValidationError, ValueError):
        raise BadSignature("this is no signature of anything") from None
