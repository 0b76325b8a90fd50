"""What to say after a name that there is not."""

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str:
    """Return what to say after a name that there is not: the near miss, or all there are."""
    names = list(known)
    close = difflib.get_close_matches(name[:80], names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(names)}" if names else "there are none"
