"""The build writes down which commit it was made from, for `copytrade --version`.

Wheel and sdist get `copytrade/_built.py`; an editable install does not, since its commit changes. A wheel that is built
from an sdist takes over what the sdist says. Without git, and without such a file, there is none.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = "copytrade/_built.py"


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling brings no types to the checker
    """Adds the file to what is built; the source tree stays as it is."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds."""
        root = Path(self.root)
        if version == "editable" or (root / BUILT).exists():
            return
        commit = commit_of(root)
        if not commit:
            return
        fd, self._written = tempfile.mkstemp(suffix=".py")
        with os.fdopen(fd, "w") as file:
            file.write(f'COMMIT = "{commit}"\n')
        build_data["force_include"][self._written] = BUILT

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  # the hook's form
        """Called by hatchling after it has built."""
        if written := getattr(self, "_written", ""):
            Path(written).unlink(missing_ok=True)


def commit_of(root: Path) -> str:
    """The commit of this very tree; nothing where it is no checkout of its own, or there is no git."""
    if not (root / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(root), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
