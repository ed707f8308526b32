"""Which copytrade this is: the version, and the commit that it was built from where that is known.

A wheel and an sdist carry the commit in `_built.py`, which the build writes (hatch_build.py). A checkout asks git. What
is neither has the version alone.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from copytrade import __version__

ROOT = Path(__file__).resolve().parents[3]
GIT_SEC = 2.0
SHOWN = 12  # digits of a commit


def version_text() -> str:
    """`1.0.0 (commit 0123456789ab)`, or the version alone."""
    commit = built_from() or checked_out()
    return f"{__version__} (commit {commit})" if commit else __version__


def built_from() -> str:
    """The commit that the build wrote down; nothing in a checkout."""
    try:
        return str(import_module("copytrade._built").COMMIT)[:SHOWN]
    except ImportError:
        return ""


def checked_out(root: Path = ROOT) -> str:
    """The commit of the checkout that this file is in, with a + where it was changed; nothing without git."""
    if not (root / ".git").exists():
        return ""
    import subprocess

    def git(*args: str) -> str:
        command = ["git", "-C", str(root), *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SEC, check=True)  # noqa: S603
        return done.stdout.strip()

    try:
        changed = "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        return git("rev-parse", "HEAD")[:SHOWN] + changed
    except (OSError, subprocess.SubprocessError):
        return ""
