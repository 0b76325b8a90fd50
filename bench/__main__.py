"""Measure, print what was found, and write it down.

    python -m bench [NAME ...]

Without a name everything is measured, which takes most of an hour.
"""

import sys
import time
from importlib import import_module

from bench import report

NAMES = (
    "throughput",
    "latency",
    "catching_up",
    "matching",
    "backlog",
    "breadth",
    "idle",
    "slow_receivers",
    "storm",
    "trust",
    "operators",
    "pages",
)
"""The modules in which a function ``measure`` returns a section, in the document's order."""


def main() -> None:
    """Measure what is named."""
    wanted = sys.argv[1:] or NAMES
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in wanted:
        began = time.perf_counter()
        print(f"{name} …", file=sys.stderr, flush=True)
        section = import_module(f"bench.{name}").measure()
        report.write(name, section, NAMES)
        print(f"\n{section.title}\n\n{section.shown()}\n", flush=True)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
