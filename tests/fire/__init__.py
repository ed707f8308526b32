"""The real process under fire, the modes of the exchange, and what may leave the process (issue 4)."""
