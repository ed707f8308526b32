"""The whole loop against a hostile world, in process, by seed.

chaos.py     what may go wrong, decided by dice (and told in words)
deeds.py     what the market, the leader, the user, the exchange and the feeds then do
line.py      the program's ports over a bad line
disk.py      a disk that forgets what was not synced, under the real state file
oracle.py    the laws, checked against the engine's true books
seeds.py     one seed: lives of the real Trader, one after another, then calm
shrink.py    the smallest story of a failing seed
__main__.py  many seeds on all cores, or one seed's story

What it shows and what it assumes: docs/reliability.md.
"""
