"""The EIP-712 hashes that are signed, with whatever never changes hashed once. Bytes in, bytes out.

    digest of an order   = keccak(1901 ‖ separator of the exchange's domain ‖ contents)
    contents             = keccak(struct ‖ salt ‖ maker ‖ signer ‖ token ‖ amounts ‖ side ‖ type ‖ time ‖ 0 ‖ 0)

Of that only salt, token, amounts, side and time differ from one order of ours to the next; all else is laid out in
`OrderHashes` when it is made. An order then costs two hashes (5 µs each), not the parsing of a typed-data document
(0.4 ms): the vendor's builder stays the reference in the tests, and verifying.py another one.

Signature type 3 signs the contents once more, wrapped for the deposit wallet (ERC-7739), and sends along what the
wallet needs to unwrap them; the order id is the plain digest all the same.
Source: EIP-712; API.md "The order id is known before posting"; py_clob_client_v2.order_utils, signing.eip712.
"""

from __future__ import annotations

from eth_hash.auto import keccak

from copytrade.adapters.signing.exchanges import Exchange

_ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_WRAPPED_TYPE = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + _ORDER_TYPE
)
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_AUTH_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId)"
_AUTH_TYPE = b"ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_AUTH_WORDS = b"This message attests that I control the given wallet"
_ORDER_TYPE_HASH, _WRAPPED_TYPE_HASH = keccak(_ORDER_TYPE), keccak(_WRAPPED_TYPE)
_PREFIX = b"\x19\x01"


def _word(number: int) -> bytes:
    """A number as EIP-712 encodes it: 32 bytes, the highest first."""
    return number.to_bytes(32, "big")


def _address_word(address: str) -> bytes:
    return _word(int(address, 16))


class OrderHashes:
    """Hashes the orders of one wallet at one exchange. `maker` and `signer` are addresses, "0x" and 40 hex digits."""

    __slots__ = ("_after", "_deposit_wallet", "_prefix", "_trailer_end", "_who", "separator")

    def __init__(self, exchange: Exchange, chain_id: int, *, maker: str, signer: str, signature_type: int) -> None:
        version = exchange.domain_version.encode()
        self.separator = keccak(
            keccak(_DOMAIN_TYPE)
            + keccak(b"Polymarket CTF Exchange")
            + keccak(version)
            + _word(chain_id)
            + _address_word(exchange.address(chain_id))
        )
        self._prefix = _PREFIX + self.separator
        self._who = _address_word(maker) + _address_word(signer)
        self._after = _word(signature_type)
        self._deposit_wallet = (
            keccak(b"DepositWallet") + keccak(b"1") + _word(chain_id) + _address_word(signer) + bytes(32)
        )
        self._trailer_end = _ORDER_TYPE + len(_ORDER_TYPE).to_bytes(2, "big")

    def contents(
        self, *, salt: int, token_id: int, maker_amount: int, taker_amount: int, sell: bool, timestamp_ms: int
    ) -> bytes:
        """The hash of the order itself; no metadata, no builder code."""
        return keccak(
            b"".join(
                (
                    _ORDER_TYPE_HASH,
                    _word(salt),
                    self._who,
                    _word(token_id),
                    _word(maker_amount),
                    _word(taker_amount),
                    _word(sell),
                    self._after,
                    _word(timestamp_ms),
                    bytes(64),
                )
            )
        )

    def digest(self, contents: bytes) -> bytes:
        """The order's own digest, which is its id; what types 0 to 2 sign."""
        return keccak(self._prefix + contents)

    def wrapped_digest(self, contents: bytes) -> bytes:
        """What type 3 signs."""
        return keccak(self._prefix + keccak(_WRAPPED_TYPE_HASH + contents + self._deposit_wallet))

    def wrapping(self, contents: bytes) -> bytes:
        """What follows the signature of type 3, so that the wallet can see what was wrapped."""
        return self.separator + contents + self._trailer_end


def l1_digest(*, address: str, chain_id: int, timestamp: int, nonce: int) -> bytes:
    """What a key signs to prove itself. `timestamp` in seconds, which are hashed as a text."""
    separator = keccak(keccak(_AUTH_DOMAIN_TYPE) + keccak(b"ClobAuthDomain") + keccak(b"1") + _word(chain_id))
    words = _address_word(address) + keccak(str(timestamp).encode()) + _word(nonce) + keccak(_AUTH_WORDS)
    return keccak(_PREFIX + separator + keccak(keccak(_AUTH_TYPE) + words))
