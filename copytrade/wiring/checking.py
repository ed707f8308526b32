"""What a start depends on, asked and judged (`doctor`), and what goes into the archive of a bug report (`diagnose`).

Not here: what the answers mean (app/checks.py), what is asked (app/examining.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from copytrade.adapters import data_api
from copytrade.adapters.clob import ClobAccount, ClobHttp
from copytrade.adapters.http import Http, RequestCount
from copytrade.adapters.journal_file import JournalFolder
from copytrade.adapters.state_file import DiskStateFile
from copytrade.adapters.stop_file import StopFile
from copytrade.adapters.system_clock import SystemClock
from copytrade.app.checks import Check, Facts, Unknown, judge
from copytrade.app.config import KEYS, Config
from copytrade.app.diagnosis import Entry
from copytrade.app.examining import examine
from copytrade.app.state import start_from
from copytrade.errors import RefusedToStart
from copytrade.wiring.services import asked_of, feed_of
from copytrade.wiring.telling import told

if TYPE_CHECKING:
    from copytrade.adapters.signing import OrderSigner

DOCTOR_PATIENCE_SEC = 6.0  # a person is waiting


async def examined(
    config: Config, signer: OrderSigner | None, key: str | Unknown | None, *, make_credentials: bool
) -> tuple[Check, ...]:
    """Everything that a start depends on, asked and judged; without a signer, all that can be known without one.

    Nothing is changed, at the exchange or here, but for API credentials where that is asked for. `key` None: a dry run.
    """
    from copytrade.adapters.this_machine import folder_facts, in_use

    clock, count = SystemClock(), RequestCount()
    refused, start = "", None
    try:
        start = start_from(
            DiskStateFile(config.state_path),
            config.policy,
            name=str(config.state_path),
            journal_exists=JournalFolder(config.journal_dir).exists(),
            now=clock.now(),
            keep=False,
        )
    except RefusedToStart as error:
        refused = str(error)
    except OSError as error:
        refused = f"the state or the journal could not be read: {error}"
    known = Facts(
        config=config,
        dry=key is None,
        state_notes=() if start is None else start.notes,
        state_refused=refused,
        first=start is not None and start.first,
        stopped=StopFile(config.state_path).thrown(),
        in_use=in_use(config.state_path),
        state_folder=folder_facts(config.state_path.parent),
        journal_folder=folder_facts(config.journal_dir),
        told=told(config),
        key=key,
    )
    async with contextlib.AsyncExitStack() as stack:
        patience = DOCTOR_PATIENCE_SEC
        data = Http(
            config.data_api_url, buckets=data_api.BUCKETS, count=count, name="data_api_url", retry_total_sec=patience
        )
        clob = ClobHttp(config.clob_url, count=count, name="clob_url", retry_total_sec=patience)
        for http in (data, clob):
            stack.push_async_callback(http.aclose)
        account = None if signer is None else ClobAccount(clob, signer, clock)
        asked = asked_of(stack, config, clock, clob, feed_of(data, config), account, count)
        return judge(await examine(known, asked, everything=True, make_credentials=make_credentials))


# -- a bug report -----------------------------------------------------------------------------------------------------


def hide_known_secrets(config: Config | None) -> None:
    """Take what environment and alert files hold of secrets out of whatever is shown or written from now on."""
    from copytrade.adapters import diagnosing

    diagnosing.hide_environment()
    for name in KEYS:
        path = getattr(config, name, None)
        if name.endswith("_urls_path") and path is not None:
            diagnosing.hide_file(path)


def versions_entry(ours: str) -> Entry:
    """What runs here, and on what."""
    from copytrade.adapters import diagnosing

    return diagnosing.versions(ours)


def clean_entry(name: str, content: bytes, about: str) -> Entry:
    """One file of the archive, without secrets."""
    from copytrade.adapters import diagnosing

    return diagnosing.cleaned(name, content, about)


def kept_entries(config: Config, *, days: int, today: date) -> list[Entry]:
    """What a run has left, without secrets: the state, and the last days of the journal."""
    from copytrade.adapters import diagnosing

    kept = [*diagnosing.states(config.state_path)]
    if days:
        kept += diagnosing.journal(config.journal_dir, days=days, today=today)
    return kept


def write_diagnosis(path: Path, entries: Sequence[Entry]) -> None:
    """Write the archive. Raises FileExistsError, OSError."""
    from copytrade.adapters import diagnosing

    folder = path.name.removesuffix(".tgz").removesuffix(".tar.gz")
    diagnosing.write_archive(path, entries, folder=folder, now=SystemClock().now())
