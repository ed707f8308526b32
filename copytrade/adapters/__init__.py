"""One file for each thing outside. Only the composition root (copytrade/wiring.py) may import them."""
