"""One file for each thing outside. Only the composition root (copytrade/wiring/) may import them."""
