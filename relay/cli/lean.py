"""Starting a process that runs for months: soon, and without what it never uses."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def built_to_stay() -> Iterator[None]:
    """Make what lasts as long as the process: it is neither looked through for garbage now nor ever again.

    Going through some hundred thousand objects while they are made takes a tenth of the start, and later on
    each full collection would hold up everything for a tenth of a second.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def without_rich() -> None:
    """Import structlog without rich, which costs 5 MiB: it wants it for tracebacks that the log never draws.

    To be called before anything else imports structlog; what needs rich itself can import it afterwards.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    # How the import system is told that there is none.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
