"""Compute the token id of a protocol-V1 outcome, so that what a feed or Gamma says can be checked.

A CTF token id is a function of its market and its collateral, so a wrong one (another market's, another outcome's) is
found out without a request. A protocol-V2 position id can't be computed, only recognised: domain/ids.py.

    h          = keccak256(condition_id ‖ uint256(1 << outcome_index)); odd = its top bit
    x          = h, then (x + 1) mod P until x³ + 3 has a square root mod P: a point of the curve alt_bn128
    y          = the root whose lowest bit is odd
    collection = x, with bit 254 flipped when y is odd
    token id   = keccak256(collateral (20 bytes) ‖ collection (32 bytes))

The collateral is what the conditional tokens were split from, which never became pUSD: USDC.e for ordinary markets,
WrappedCollateral for neg-risk ones.

Source: API.md "Two kinds of market" (the contracts' CTHelpers), checked on all rows of real/ (test_token_ids.py).
"""

import re
from functools import lru_cache

from copytrade.domain.ids import IdKind, is_canonical, is_combo_condition, kind_of

__all__ = ["IdKind", "ctf_candidates", "ctf_token_id", "is_canonical", "is_combo_condition", "kind_of"]

USDC_E = bytes.fromhex("2791Bca1f2de4661ED88A30C99A7a9449Aa84174")
WRAPPED_COLLATERAL = bytes.fromhex("3A3BD7bb9528E159577F7C2e685CC81A765002E2")

_P = 21888242871839275222246405745257275088696311157297823662689037894645226208583
_SQRT_EXPONENT = (_P + 1) // 4  # a root, where there is one, since P mod 4 = 3
_ODD_Y = 1 << 254  # P has 254 bits, so bit 254 of x is free for it

_CONDITION = re.compile(r"0[xX][0-9a-fA-F]{64}")
_OUTCOMES = 256  # of a condition at most: its index sets are uint256


def ctf_token_id(condition_id: str, outcome_index: int, neg_risk: bool) -> str:
    """The token id of an outcome of a protocol-V1 market, as a canonical decimal.

    Raises ValueError where no such outcome can be: a condition id other than "0x" and 64 hex digits, an index outside
    0 to 255 (fresh rows of the feed carry 999). That the market exists, and has so many outcomes, is not checked.

    >>> ctf_token_id("0x1c22c7c9cd0936d1b7b2d3df1e7c2dbd1d2e5e0dbd3ee1cd4e1dc1ac2ac5a2ee", 999, neg_risk=False)
    Traceback (most recent call last):
    ValueError: outcome_index must be 0 to 255, got 999
    """
    collection = _collection(condition_id.lower(), outcome_index)
    return str(int.from_bytes(_keccak((WRAPPED_COLLATERAL if neg_risk else USDC_E) + collection), "big"))


def ctf_candidates(condition_id: str, outcome_index: int) -> tuple[str, str]:
    """Both ids that an outcome can have where nobody says whether its market is neg-risk: (ordinary, neg-risk).

    Raises ValueError like `ctf_token_id`.
    """
    return (
        ctf_token_id(condition_id, outcome_index, neg_risk=False),
        ctf_token_id(condition_id, outcome_index, neg_risk=True),
    )


@lru_cache(maxsize=16384)  # 64 bytes each; the same few hundred are asked for in every cycle
def _collection(condition_id: str, outcome_index: int) -> bytes:
    """The collection id of an outcome: independent of the collateral, and the slow part (roots modulo P)."""
    if not _CONDITION.fullmatch(condition_id):
        raise ValueError(f"condition_id must be 0x and 64 hex digits, got {condition_id!r}")
    if not 0 <= outcome_index < _OUTCOMES:
        raise ValueError(f"outcome_index must be 0 to {_OUTCOMES - 1}, got {outcome_index}")
    digest = int.from_bytes(_keccak(bytes.fromhex(condition_id[2:]) + (1 << outcome_index).to_bytes(32, "big")), "big")
    odd = digest >> 255
    x = digest % _P
    while True:
        x = (x + 1) % _P
        square = (x * x * x + 3) % _P
        y = pow(square, _SQRT_EXPONENT, _P)
        if y * y % _P == square:
            break
    if y & 1 != odd:
        y = _P - y
    return (x ^ _ODD_Y if y & 1 else x).to_bytes(32, "big")


def _keccak(data: bytes) -> bytes:
    from eth_hash.auto import keccak  # 0.1 s: whoever never computes an id never pays for it

    return keccak(data)
