"""The document that the benchmarks write: `docs/performance.md`, a section for each."""

import os
import platform
import re
import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Section

FILE = Path(__file__).parent.parent / "docs" / "performance.md"
_HEAD = """# Performance

Written by `make bench`; nothing here is typed in by hand. Every figure was measured on the shipped path with
the real store, beside its yardstick in the same run, turn about. Read the ratios: they mean the same on
another machine; seconds and rates do not. Where something was measured several times, it says
`median (min to max)`.
`python -m bench NAME` measures one section anew; each says when it was measured, and where.
"""


def write(name: str, section: Section, order: Sequence[str] = (), *, file: Path = FILE) -> None:
    """Put a section into the document, in place of what it said before; the others stay.

    ``order`` has the names in the order in which the document has its sections.
    """
    sections = _read(file)
    sections[name] = f"## {section.title}\n\n{section.shown()}\n\n{_where()}\n"
    names = sorted(sections, key=lambda each: order.index(each) if each in order else len(order))
    parts = [f"<!-- {each} -->\n{sections[each]}" for each in names]
    file.write_text("\n".join([_HEAD, *parts]))


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    _, *found = re.split(r"^<!-- (\w+) -->\n", file.read_text(), flags=re.MULTILINE)
    return {name: text.rstrip() + "\n" for name, text in zip(found[::2], found[1::2], strict=True)}


def _where() -> str:
    now = datetime.now(UTC)
    return f"*Measured on {now:%Y-%m-%d} at {commit()}: {machine()}.*"


def commit() -> str:
    """Return the commit that is measured, marked if the code differs from it."""
    found = _git("rev-parse", "--short=12", "HEAD")
    if not found:
        return "an unknown commit"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "relay", "templates", "bench")
    return f"commit {found}{' with changes' if changed else ''}"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=FILE.parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def machine() -> str:
    """Return what it runs on, without a name of the machine."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    python = f"{platform.python_implementation()} {platform.python_version()}"
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores ({_processor()}), {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"{python}, SQLite {sqlite3.sqlite_version}"
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    found = re.search(r"^model name\s*: (.+)$", text, flags=re.MULTILINE)
    return found[1].strip() if found else "unknown"
