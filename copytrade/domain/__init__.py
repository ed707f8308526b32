"""What is decided, and from what. Pure: no clock, no dice, no network; the same records always give the same answer."""
