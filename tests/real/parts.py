"""Finding the real parts on this machine.

A missing part skips the test, with the way to get it. With CI=true it fails: there, nothing may go untested.
"""

import os
import shutil
from pathlib import Path

import pytest

PLACES = ("/usr/local/bin", "/usr/local/sbin", "/usr/sbin", "/opt/homebrew/bin")
POSTGRES_PLACES = (
    "usr/lib/postgresql/*/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "usr/pgsql-*/bin",
)
# The part's name is that of the Debian package; its programs prove that it is there.
PROGRAMS = {
    "notary": ("notary", "notary-server"),
    "postgresql": ("initdb", "pg_ctl", "postgres"),
    "chromium": ("chromium",),
    "prometheus-alertmanager": ("prometheus-alertmanager",),
    "prometheus": ("prometheus", "promtool"),
}


def find(program: str) -> Path | None:
    """The program's path, or None; PostgreSQL's are not on Debian's PATH."""
    if found := shutil.which(program):
        return Path(found)
    newest_first = [p for pattern in POSTGRES_PLACES for p in sorted(Path("/").glob(pattern), reverse=True)]
    for folder in [*map(Path, PLACES), *newest_first]:
        if os.access(folder / program, os.X_OK):
            return folder / program
    return None


def need(part: str) -> dict[str, Path]:
    """The part's programs by name; skips, or with CI=true fails, the test that asked if one is missing."""
    found = {program: find(program) for program in PROGRAMS[part]}
    missing = sorted(program for program, path in found.items() if path is None)
    if missing:
        reason = (
            f"{', '.join(missing)} not found; on Debian: apt-get install {part}, or .ci/setup test as root"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true and {reason}", pytrace=False)
        pytest.skip(reason)
    return {program: path for program, path in found.items() if path}
