"""An exchange to practise on: the rules of the real one, in memory, over HTTP on loopback or without any network.

    rules.py       the engine: wallets, markets, books, orders, trades, and every check with the exchange's own words
    records.py     what the engine keeps
    feed.py        how late, frozen or old a wallet's positions are reported
    faults.py      what goes wrong, endpoint by endpoint, on request
    world.py       an exchange with its faults, its clock and a story that unfolds in it
    shapes.py      the JSON of the real services
    server.py      the three services over HTTP on loopback
    in_process.py  the ports of app/ports.py straight on the engine, thousands of cycles a second
    scenario.py    worlds for `copytrade demo` and for tests

The engine has no wall clock and no dice of its own: time is handed in, chance comes from a seeded `random.Random`, so
the same world with the same requests lives the same life.

What it leaves out: fees, complementary matching (a BUY of YES against a BUY of NO), websockets, redeeming on chain.
"""
