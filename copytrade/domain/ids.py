"""Tell by its shape alone what an outcome id is: of which kind of market, or none of ours to touch.

An outcome id is the exchange's asset id in canonical decimal. A protocol-V2 position id is a 256-bit layout:

    module 8 bits | hash 128 | arity 16 | reserved 64 (zero) | chain 16 | condition 16 | outcome 8

with module 1 (binary), 2 (neg-risk) or 3 (combo). Everything else that is a canonical decimal below 2^256 is a CTF
token id, which is a keccak hash: for one to look like a position id takes 64 zero bits in the right place. The shape
decides for which exchange contract an order is signed, so an id in any other form (hex, leading zeros, signs, spaces)
is MALFORMED: never looked up, never signed.

Not here: which id a market *should* have (Gamma's `version` decides, in the resolver), and computing a CTF token id
(adapters/token_ids.py; it needs keccak).
Source: API.md "Two kinds of market", real/pmwallets_copytrade-0.4.1/position-ids.json.
"""

import re
from enum import Enum

_UINT256_BITS = 256
_UINT256_DIGITS = 78  # 2^256 - 1 has 78: longer texts are refused before int() reads them
_MODULE_SHIFT = 248
_RESERVED_MASK = ((1 << 64) - 1) << 40

# [0-9], not \d or str.isdigit(): those also take digits of other scripts, which int() would read without a word.
_CANONICAL = re.compile(r"0|[1-9][0-9]*")
# A combo's condition id is the upper 31 bytes of its position ids. Markets have 32 bytes, but the vendor's SDK also
# knows 31-byte ids of binary and neg-risk markets (polymarket.models.types.to_market_condition_id): their module byte
# tells them apart.
_COMBO_CONDITION = re.compile(r"0[xX](?!0[12])[0-9a-fA-F]{62}")


class IdKind(Enum):
    """What an outcome id is, by its shape."""

    CTF = "ctf"  # protocol V1: a CTF token, traded at the CTF exchange or the neg-risk exchange (the book says which)
    V2_BINARY = "v2_binary"  # protocol V2, module 1: traded at Exchange V3
    V2_NEG_RISK = "v2_neg_risk"  # protocol V2, module 2: traded at Exchange V3 too
    COMBO = "combo"  # protocol V2, module 3: has no order book, left alone
    MALFORMED = "malformed"  # not a canonical decimal uint256: neither looked up nor signed


_MODULES = {1: IdKind.V2_BINARY, 2: IdKind.V2_NEG_RISK, 3: IdKind.COMBO}


def is_canonical(token_id: str) -> bool:
    """Is it the one decimal spelling of a number from 0 to 2^256 - 1?

    >>> is_canonical("69515744437473089728151261939146426925489297565662421305942992110046228478629")
    True
    >>> [is_canonical(odd) for odd in ("", "0123", "+1", "-1", " 1", "1\\n", "0x1", "1_000", "\\u0661", str(2**256))]
    [False, False, False, False, False, False, False, False, False, False]
    """
    return (
        len(token_id) <= _UINT256_DIGITS
        and _CANONICAL.fullmatch(token_id) is not None
        and int(token_id).bit_length() <= _UINT256_BITS
    )


def kind_of(token_id: str) -> IdKind:
    """What this outcome id is, by its shape. A top byte of 3 alone makes no combo: the reserved bits must be zero too.

    >>> kind_of("456322662693127080402085893806415780684933579476723864069977356327020658688").name
    'V2_BINARY'
    >>> kind_of("1628948707922995775031622509772078765406110626872621424817699628095377506304").name
    'COMBO'
    >>> kind_of("1386862814961340478686079836990299099517617306127454231647063425704780395278").name
    'CTF'
    >>> kind_of("0456322662693127080402085893806415780684933579476723864069977356327020658688").name
    'MALFORMED'
    """
    if not is_canonical(token_id):
        return IdKind.MALFORMED
    number = int(token_id)
    if number & _RESERVED_MASK:
        return IdKind.CTF
    return _MODULES.get(number >> _MODULE_SHIFT, IdKind.CTF)


def is_combo_condition(condition_id: str) -> bool:
    """Is this a combo's condition id: 62 hex digits, where a market has 64 (or 62 and the module byte of a market)?

    >>> is_combo_condition("0x0399f3c9aa7360ee8fd03463733e451b460000000000000000000000000000")
    True
    >>> is_combo_condition("0x0199f3c9aa7360ee8fd03463733e451b460000000000000000000000000000")
    False
    >>> is_combo_condition("0x99f3c9aa7360ee8fd03463733e451b4699f3c9aa7360ee8fd03463733e451b46")
    False
    """
    return _COMBO_CONDITION.fullmatch(condition_id) is not None
