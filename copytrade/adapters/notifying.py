"""Messages to a person, by any service that apprise knows: Telegram, Discord, e-mail, webhooks …

    AlertSender.send    on the run's thread: puts the line into a queue, and that is all
    its own thread      gathers what comes within a moment into one message, sends at most one every `EVERY_SEC` (what
                        is urgent does not wait), tries again what could not be sent, and counts

Each address has a sender of its own: one that is dead neither delays the others nor makes them hear all of it twice.

Rule 1: a server that is slow, dead or hangs costs a run nothing: `send` takes a lock that is never held over a request.
Rule 2: the queue is bounded. What does not fit is dropped, the least important first; the next message says how much.
Rule 3: an address of apprise is a secret, since most hold a token. They come from COPYTRADE_ALERT_URLS or from a file
        that only this user can read, are hidden with all their parts from then on, and no message of ours quotes one.

With the extra `alerts`. Not here: which messages there are (app/alerts.py).
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
import threading
import time
import warnings
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import structlog
from attrs import asdict, field, frozen

from copytrade.adapters.files import read_file
from copytrade.adapters.redaction import hide, redact
from copytrade.app.alerts import Alert, Weight
from copytrade.app.cli.render import clock_time
from copytrade.app.metrics import Series
from copytrade.app.reading import printable
from copytrade.errors import RefusedToStart

VARIABLE = "COPYTRADE_ALERT_URLS"

GATHER_SEC = 1.0  # after the first line: what belongs together comes together
EVERY_SEC = 30.0  # between two messages, but for urgent ones
URGENT_SEC = 5.0  # between two messages, however urgent
AGAIN_SEC = (10.0, 60.0, 300.0)  # after the first, the second, any later failure
CLOSE_SEC = 1.5  # for the last message, once the run has ended
MOST_WAITING = 200  # lines in the queue
MOST_LINES = 20  # of one message
MOST_LETTERS = 1800  # of all its lines: Discord takes no more than 2000, Telegram 4096
LONGEST_LINE = 300  # letters

Notify = Callable[[str, str, Weight], bool]  # title, body; did everybody get it?


@frozen(kw_only=True)
class Counts:
    """Lines that were sent, tries of a message that failed, lines that were dropped."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0


@frozen(kw_only=True)
class Pace:
    """How fast messages may follow each other, in seconds."""

    gather: float = GATHER_SEC
    every: float = EVERY_SEC
    urgent: float = URGENT_SEC
    again: Sequence[float] = field(default=AGAIN_SEC)


class AlertSender:
    """The queue of one address, and its thread. Start it with `open`; `end` it, and `join` it."""

    def __init__(self, notify: Notify, *, name: str, pace: Pace | None = None) -> None:
        """`name` stands at the head of each message: which run speaks."""
        self._notify = notify
        self._name = name
        self._pace = pace or Pace()
        self._changed = threading.Condition()
        self._waiting: list[Alert] = []
        self._unsaid = 0  # lines that were dropped since the last message
        self._closing = False
        self._counts = Counts()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    @property
    def counts(self) -> Counts:
        return self._counts

    def open(self) -> None:
        """Begin to send."""
        self._thread.start()

    def send(self, alert: Alert) -> None:
        """Take a line; return at once, whatever the server does."""
        with self._changed:
            self._waiting.append(alert)
            self._bound()
            self._changed.notify()

    def end(self) -> None:
        """Send what waits in one last message, without waiting for its time; then no more."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self, within: float) -> bool:
        """Wait for the end; False where it has not come within so many seconds."""
        self._thread.join(within)
        return not self._thread.is_alive()

    # -- its thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        last = -self._pace.every
        while True:
            batch, dropped = self._next(last, failures)
            if not batch:
                return
            last = time.monotonic()
            if self._delivered(batch, dropped):
                failures = 0
                continue
            failures += 1
            with self._changed:
                if self._closing:
                    return
                self._waiting[:0] = batch
                self._unsaid += dropped
                self._bound()

    def _next(self, last: float, failures: int) -> tuple[list[Alert], int]:
        """The next batch, once it is its time, and how many lines it lacks; nothing when all is over."""
        pace = self._pace
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            gathered_at = time.monotonic() + pace.gather
            while not self._closing:
                urgent = any(one.weight is Weight.FAILURE for one in self._waiting)
                again = pace.again[min(failures, len(pace.again)) - 1] if failures else 0.0
                due = max(gathered_at, last + max(pace.urgent if urgent else pace.every, again))
                left = due - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            batch, dropped = self._waiting, self._unsaid
            self._waiting, self._unsaid = [], 0
        return batch, dropped

    def _delivered(self, batch: Sequence[Alert], dropped: int) -> bool:
        title, body, weight = composed(batch, dropped, name=self._name)
        try:
            done = self._notify(title, body, weight)
        except Exception as error:  # noqa: BLE001  # whatever a service's client raises, the run goes on
            structlog.get_logger(__name__).warning("an alert failed", error=type(error).__name__)
            done = False
        else:
            if not done:
                structlog.get_logger(__name__).warning("an alert could not be sent")
        with self._changed:
            one = self._counts
            self._counts = Counts(
                sent=one.sent + (len(batch) if done else 0), failed=one.failed + (not done), dropped=one.dropped
            )
        return done

    def _bound(self) -> None:
        """Drop what does not fit: the least important, and of these the oldest. The lock is held."""
        while len(self._waiting) > MOST_WAITING:
            least = min(range(len(self._waiting)), key=lambda index: (self._waiting[index].weight.value, index))
            del self._waiting[least]
            self._unsaid += 1
            one = self._counts
            self._counts = Counts(sent=one.sent, failed=one.failed, dropped=one.dropped + 1)


def composed(batch: Sequence[Alert], dropped: int, *, name: str) -> tuple[str, str, Weight]:
    """Title and body of one message. Of many lines the most important are shown, in the order of their times."""
    shown: dict[int, str] = {}
    room = MOST_LETTERS
    for index in sorted(range(len(batch)), key=lambda index: (-batch[index].weight.value, index))[:MOST_LINES]:
        line = f"{clock_time(batch[index].at)}  {_line(batch[index].words)}"
        if len(line) < room:
            room -= len(line) + 1
            shown[index] = line
    lines = [shown[index] for index in sorted(shown)]
    if len(batch) > len(shown):
        lines.append(f"… and {len(batch) - len(shown)} more")
    if dropped:
        lines.append(f"… and {dropped} before that were dropped: they were too many")
    weight = max((one.weight for one in batch), key=lambda weight: weight.value)
    head = next(one for one in batch if one.weight is weight)
    more = f" and {len(batch) - 1} more" if len(batch) > 1 else ""
    return f"copytrade {name}: {head.kind.value.replace('_', ' ')}{more}", "\n".join(lines), weight


def _line(words: str) -> str:
    line = printable(redact(words))
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


# -- addresses --------------------------------------------------------------------------------------------------------


def load_urls(path: Path | None, environ: MutableMapping[str, str] = os.environ) -> tuple[str, ...]:
    """The addresses: of COPYTRADE_ALERT_URLS (parted by blanks), and of the file (one a line, # begins a comment).

    Takes them out of `environ`. Raises RefusedToStart: the file can't be read, or others can read it.
    """
    text = environ.pop(VARIABLE, "")
    if path is not None:
        text += "\n" + _of_file(path)
    urls = tuple(dict.fromkeys(text.split()))
    for url in urls:
        for part in _parts(url):
            hide(part)
    return urls


def _of_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        raw = read_file(path)
    except OSError as error:
        raise RefusedToStart(f"{path}: the alert URLs can't be read ({error.strerror})") from None
    if stat.S_IMODE(mode) & 0o077:
        raise RefusedToStart(f"{path}: others can read the alert URLs, which are secrets. chmod 600 {path}")
    if raw is None:
        raise RefusedToStart(f"{path}: there is no such file; alert_urls_path names the file with the alert URLs")
    lines = raw.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


_PUBLIC = re.compile(r"(localhost|[0-9.]+|[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,})(:[0-9]+)?", re.IGNORECASE)


def _parts(url: str) -> Iterator[str]:
    """The address, and everything in it that may be a token: all that stands between its separators, but for a host."""
    yield url
    rest = url.partition("://")[2]
    yield rest
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    hidden = rest if not _PUBLIC.fullmatch(host) else user + rest[len(authority) :]
    for part in re.split(r"[/?#&=@,:]", hidden):
        yield part
        yield unquote(part)


def apprise_to(urls: Sequence[str]) -> list[Notify]:
    """What sends to each of these addresses. Raises RefusedToStart: the extra is not installed, or one is none."""
    try:
        import apprise
    except ImportError:
        raise RefusedToStart('alerts need the extra "alerts": pip install "copytrade[alerts]"') from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it quotes addresses; what failed is told by us
    # On our own thread: of a pool of its own, the interpreter would wait for the threads when it ends.
    asset = apprise.AppriseAsset(app_id="copytrade", app_desc="copytrade", async_mode=False, http_redirects=False)
    kinds = {
        Weight.INFO: apprise.NotifyType.INFO,
        Weight.WARNING: apprise.NotifyType.WARNING,
        Weight.FAILURE: apprise.NotifyType.FAILURE,
    }

    def to(service: apprise.Apprise) -> Notify:
        def notify(title: str, body: str, weight: Weight) -> bool:
            form = apprise.NotifyFormat.TEXT
            return bool(service.notify(body=body, title=title, notify_type=kinds[weight], body_format=form))

        return notify

    services = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its hundred services are loaded now, some by way of what is deprecated
        for number, url in enumerate(urls, 1):
            service = apprise.Apprise(asset=asset)
            if not service.add(url):
                raise RefusedToStart(
                    f"alert URL {number} of {len(urls)} is none that apprise knows (it is a secret, and so not shown): "
                    "see https://github.com/caronc/apprise/wiki for how each service's looks"
                )
            services.append(to(service))
    return services


class AlertSenders:
    """The senders to all addresses, as one."""

    def __init__(self, senders: Sequence[AlertSender]) -> None:
        self._senders = tuple(senders)

    def send(self, alert: Alert) -> None:
        """Give a line to each."""
        for sender in self._senders:
            sender.send(alert)

    def series(self) -> dict[Series, Decimal]:
        """What all have counted, as counters of metrics."""
        counts = [asdict(sender.counts) for sender in self._senders]
        return {
            ("copytrade_alerts_total", (outcome,)): Decimal(sum(one[outcome] for one in counts))
            for outcome in ("sent", "failed", "dropped")
        }

    def close(self, within: float = CLOSE_SEC) -> None:
        """Send what waits, if that takes no longer than `within` seconds for all together."""
        end = time.monotonic() + within
        for sender in self._senders:
            sender.end()
        late = [sender for sender in self._senders if not sender.join(max(end - time.monotonic(), 0.0))]
        if late:
            structlog.get_logger(__name__).warning("the last alerts may not have been sent", servers=len(late))


@contextlib.contextmanager
def sending(urls: Sequence[str], *, name: str, close_sec: float = CLOSE_SEC) -> Iterator[AlertSenders]:
    """Senders to these addresses, for as long as the block runs; the last message has `close_sec` then.

    Raises RefusedToStart.
    """
    senders = [AlertSender(notify, name=name) for notify in apprise_to(urls)]
    for sender in senders:
        sender.open()
    whole = AlertSenders(senders)
    try:
        yield whole
    finally:
        whole.close(close_sec)


def now() -> Decimal:
    """The time of a message that no cycle has a time for."""
    return Decimal(int(time.time()))
