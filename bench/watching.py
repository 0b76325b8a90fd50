"""What is seen of a relay from outside while it works: its memory, and how far its store is."""

import os
import sqlite3
from pathlib import Path


def memory_of(process: int) -> float:
    """Return how many bytes of memory a process has (RSS)."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


def stored(reading: sqlite3.Connection) -> int:
    """Return how many events a store has taken, quickly."""
    (last,) = reading.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    return int(last)
