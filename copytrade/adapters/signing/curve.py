"""One key on secp256k1: its address, and signatures of digests. Nothing here shows it, or parts with it.

Signatures are deterministic (RFC 6979) and low, so every library makes the same ones. coincurve makes one in 26 µs;
where it is not built (Python 3.14) eth-keys makes it in 4 ms. eth-keys would use coincurve too, but works the public
key out anew for each signature, which doubles the cost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Key:
    """A private key. `address` is its own, checksummed."""

    __slots__ = ("_sign", "address")

    def __init__(self, secret: bytes) -> None:
        """`secret`: 32 bytes, a number from 1 to below the curve's order."""
        from eth_keys.datatypes import PrivateKey

        assert len(secret) == 32
        self.address = str(PrivateKey(secret).public_key.to_checksum_address())
        self._sign = _signing(secret)

    def __repr__(self) -> str:
        return f"Key(address={self.address})"

    def __reduce__(self) -> Any:
        raise TypeError("a signing key is not written down")

    def signature(self, digest: bytes) -> bytes:
        """65 bytes: r, s, and 27 or 28."""
        made = self._sign(digest)
        return made[:64] + bytes((made[64] + 27,))


def _signing(secret: bytes) -> Callable[[bytes], bytes]:
    try:
        from coincurve import PrivateKey
    except ImportError:
        from eth_keys.datatypes import PrivateKey as PlainPrivateKey

        plain = PlainPrivateKey(secret)
        return lambda digest: bytes(plain.sign_msg_hash(digest).to_bytes())
    return partial(PrivateKey(secret).sign_recoverable, hasher=None)
