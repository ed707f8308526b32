"""What a run knows, and what its cycle has to tell: the memory, the fills that were learned of, the warnings.

Observing and executing write here as they learn, not when they are done: whoever breaks them off, a stop or a fault,
finds everything that was known by then. `memory` is always what the next cycle, or the stop, may rely on.

Not here: how an answer changes the memory (domain/memory.py), how it looks on disk (state.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from copytrade.app.outcomes import OwnFill
from copytrade.app.ports import StateFile
from copytrade.app.state import encode_state
from copytrade.domain.memory import Memory
from copytrade.domain.policy import Policy
from copytrade.errors import VenueError

T = TypeVar("T")


class Notebook:
    """One for a run. Without a `state` nothing of it is kept on disk."""

    def __init__(self, memory: Memory, policy: Policy, state: StateFile | None) -> None:
        self.memory = memory
        self.warnings: list[str] = []
        self.fills: list[OwnFill] = []
        self.not_saved = ""  # why the last save failed; "": it did not
        self._policy = policy
        self._state = state

    def warn(self, words: str) -> None:
        """Have it told at the end of the cycle."""
        self.warnings.append(words)

    async def tried(self, failure: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        """What a service answers, or None, with a warning, where it does not."""
        try:
            return await ask()  # made only here: a stop may come before this is begun
        except VenueError as error:
            self.warn(f"{failure} ({error})")
            return None

    def save(self) -> bool:
        """Write the memory down. False, with a warning, where the disk does not take it."""
        if self._state is None:
            return True
        try:
            self._state.save(encode_state(self.memory, self._policy))
        except OSError as error:
            self.not_saved = str(error)
            warning = f"{error}: nothing is placed until it can be saved"
            if warning not in self.warnings:  # a cycle saves twice
                self.warn(warning)
            return False
        self.not_saved = ""
        return True
