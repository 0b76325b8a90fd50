"""Keeping out of a process that runs for months what it never uses."""

import sys


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
