"""Copy what a Polymarket wallet holds, by position targeting: small resting orders, never a replayed trade."""

__version__ = "1.0.0"
