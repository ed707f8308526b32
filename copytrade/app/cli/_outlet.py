"""A text stream for a run: whoever writes to it never waits, and nothing that happens to its reader reaches the run.

A terminal that is stopped (Ctrl-S), a pipe whose reader sleeps and a slow disk all block the writer. So the writing is
done by a thread. A reader that is gone (a broken pipe, a closed terminal) or a full disk costs the lines, nothing else:
the run has orders resting, and its journal. It is told once, on the other stream, if anybody reads that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

ROOM = 20_000  # pieces of text that may wait; what comes then is dropped, and counted


class Outlet:
    """Stands for `stream`: `write`, `flush` and `isatty` as of any other; `drain` and `close` wait, for a time."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], object] = lambda _: None) -> None:
        """`failed` is told of the first text that could not be written."""
        self._stream = stream
        self._failed, self._told = failed, False
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self._fd = _fd_of(stream)
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._busy = self._closed = False
        self._dropped = 0
        self.broken = False  # nobody reads any more
        self._thread: threading.Thread | None = None

    def isatty(self) -> bool:
        with contextlib.suppress(ValueError):  # closed
            return self._stream.isatty()
        return False

    def fileno(self) -> int:
        """Raises OSError where there is none, as a stream does."""
        if self._fd is None:
            raise OSError("not a file")
        return self._fd

    def write(self, text: str) -> int:
        """Take `text`; it is written later, in order, or never."""
        with self._changed:
            if self._closed or self.broken:
                return len(text)
            if len(self._waiting) >= ROOM:
                self._dropped += 1
                return len(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="outlet", daemon=True)
                self._thread.start()
            self._waiting.append(text)
            self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back, and nobody waits."""

    def drain(self, seconds: float = 1.0) -> bool:
        """Wait until all is written, for `seconds` at most; False where it was not."""
        until = time.monotonic() + seconds
        with self._changed:
            while (self._waiting or self._busy) and not self.broken:
                if not self._changed.wait(max(until - time.monotonic(), 0)) and time.monotonic() >= until:
                    return False
        return True

    def close(self, seconds: float = 1.0) -> None:
        """Write what waits, as far as that goes in `seconds`; afterwards every write is lost."""
        self.drain(seconds)
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                text = "".join(self._waiting)
                if self._dropped:
                    text += f"… {self._dropped} pieces of output were lost: the reader was too slow\n"
                    self._dropped = 0
                self._waiting.clear()
                self._busy = True
            try:
                self._put(text)
            except ValueError:  # the stream was closed
                self.broken = True
            except OSError as error:
                # A disk may have room again later; whoever has hung up does not come back.
                self.broken = error.errno in (errno.EPIPE, errno.EIO, errno.EBADF)
                self._tell(error)
            with self._changed:
                self._busy = False
                if self.broken:
                    self._waiting.clear()
                self._changed.notify_all()
            if self.broken:
                return

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            self._failed(error)

    def _put(self, text: str) -> None:
        """Raises OSError and ValueError where nobody takes it."""
        if self._fd is None:
            self._stream.write(text)
            self._stream.flush()
            return
        # Past the stream's own buffer: its lock would be held while we wait, and the interpreter wants it to end.
        data = memoryview(text.encode(self.encoding, errors="replace"))
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # somebody made it so that it does not wait
                time.sleep(0.05)


def _fd_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
