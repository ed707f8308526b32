"""A client of the simulated services for tests: it signs as ours would, and lies where it is told to."""

import asyncio
import json
from decimal import Decimal
from functools import cache

import httpx

from copytrade.adapters.signing import OrderSigner, leg
from copytrade.adapters.simulated.scenario import small_world
from copytrade.adapters.simulated.server import serve
from copytrade.app.ports import ToSign
from copytrade.domain.model import Side

D = Decimal
NOW = 1_800_000_000
KEY = "0x" + "11" * 32
SAFE = "0x52908400098527886E0F7030069857D2E4169EE7"


@cache
def signer(signature_type=0):
    address = OrderSigner(KEY, funder=SAFE, signature_type=2).address
    return OrderSigner(KEY, funder=SAFE if signature_type else address, signature_type=signature_type)


def world_of(signature_type=0, **settings):
    me = signer(signature_type)
    settings = {"mine": {0: "50"}, **settings}
    return small_world(lambda: D(NOW), me=me.funder, signer=me.address, signature_type=signature_type, **settings)


class Client:
    """Requests as a client of ours would send them, and as one that lies would."""

    def __init__(self, world, urls, http, signature_type=0):
        self.world, self.urls, self.http, self.signer = world, urls, http, signer(signature_type)
        self.credentials = world.credentials(self.signer.address)
        world.made_keys.add(self.signer.address.lower())

    async def data(self, path, **params):
        return await self.http.get(self.urls.data_api_url + path, params=params)

    async def gamma(self, params):
        return await self.http.get(self.urls.gamma_api_url + "/markets", params=params)

    async def clob(self, method, path, body=None, params=(), **headers):
        text = None if body is None else json.dumps(body)
        signed = self.signer.l2_headers(self.credentials, timestamp=NOW, method=method, path=path, body=text)
        url = self.urls.clob_url + path
        return await self.http.request(method, url, content=text, params=dict(params), headers={**signed, **headers})

    def order(self, token_id, side="BUY", price="0.48", size="10", *, neg_risk=False, salt=1, post_only=True, ttl=250):
        asked = ToSign(
            token_id=token_id,
            side=Side(side),
            price=D(price),
            size=D(size),
            tick_size=D("0.01"),
            neg_risk=neg_risk,
            expiration=NOW + ttl,
            post_only=post_only,
        )
        signed = self.signer.sign_order(asked, salt=salt, timestamp_ms=NOW * 1000)
        return signed.order_id, dict(leg(signed, self.credentials.key))


def talk(world, conversation, signature_type=0):
    """Serve the world, and let `conversation(client)` go on in the same event loop."""

    async def main():
        async with serve(world) as urls, httpx.AsyncClient(timeout=10) as http:
            return await conversation(Client(world, urls, http, signature_type))

    return asyncio.run(main())
