"""An exchange to practise on: the rules of the real one, in memory, over HTTP on loopback or without any network.

    rules.py       the engine: markets, books, orders, trades (ledger.py: who has what)
    checks.py      every check of an order, with the exchange's own words
    records.py     what the engine keeps
    feed.py        how late, frozen or old a wallet's positions are reported
    faults.py      what goes wrong, endpoint by endpoint, on request
    world.py       an exchange with its faults, its clock and a story that unfolds in it
    auth.py        who is asking: signatures, HMACs, and what exactly was signed
    shapes.py      the JSON of the real services
    handlers.py    what each endpoint answers (spoiling.py: and with what wrong in its rows)
    server.py      the three services over HTTP on loopback
    in_process.py  the ports of app/ports.py straight on the engine, thousands of cycles a second
    scenario.py    small worlds for tests, and building blocks
    demo.py        the world of `copytrade demo`

The engine has no wall clock and no dice of its own: time is handed in, chance comes from a seeded `random.Random`, so
the same world with the same requests lives the same life.

What it leaves out: fees, complementary matching (a BUY of YES against a BUY of NO), websockets, redeeming on chain.
"""
