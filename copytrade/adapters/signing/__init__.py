"""Sign orders and requests for the exchange, and check such signatures.

Rule 1: an order is signed for exactly the shares and the price that were decided, or not at all (`amounts`).
Rule 2: the shape of the token id decides for which exchange contract (`exchange_for`); a wrong guess is refused.
Rule 3: an order id is the EIP-712 hash of the order, so it is known before the order is sent.
Rule 4: no clock and no dice: timestamps and salts come from the caller. No HTTP.
Rule 5: the signing key and the API credentials are never shown, in no repr and in no error.

The order struct, its signature and the headers are the vendor's (API.md, "Which client"), made here in a tenth of the
time that its builder takes: hashing.py says how. Both of its clients are the reference in the tests, byte for byte;
neither is imported at run time. What is needed of the curve is imported with the first signer, not before.

Read next: orders.py (amounts), exchanges.py (contracts), hashing.py, signer.py (orders and headers), verifying.py (the
other side).
"""

from copytrade.adapters.signing.exchanges import POLYGON, Exchange, exchange_for
from copytrade.adapters.signing.orders import amounts, leg, random_salt
from copytrade.adapters.signing.signer import ApiCredentials, OrderSigner
from copytrade.adapters.signing.verifying import BadSignature, Verified, verify, verify_l1, verify_l2

__all__ = [
    "POLYGON",
    "ApiCredentials",
    "BadSignature",
    "Exchange",
    "OrderSigner",
    "Verified",
    "amounts",
    "exchange_for",
    "leg",
    "random_salt",
    "verify",
    "verify_l1",
    "verify_l2",
]
