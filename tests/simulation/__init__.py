"""The whole loop against a hostile world, in process, by seed.

chaos.py     what goes wrong, decided by dice at every request (and told in words)
oracle.py    the laws, checked against the engine's true holdings
seeds.py     one seed: lives of the real Trader, one after another, then calm
__main__.py  many seeds on all cores, or one seed's story
"""
