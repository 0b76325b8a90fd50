"""Patterns as rules write them: globs, lists with exclusions, severity ranges."""

import operator
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from relay.model.severity import Severity

_COMPARISON = re.compile(r"(?P<sign>>=|<=|>|<|=|!=)?\s*(?P<level>[a-z]+)")

_SPECIAL = re.compile(r"[*?\[]")


@lru_cache(maxsize=4096)
def _compile(pattern: str, separator: str) -> re.Pattern[str]:
    """Translate a glob: ``*`` and ``?`` stop at the separator, ``**`` does not; ``[abc]`` as usual."""
    other = f"[^{re.escape(separator)}]" if separator else "."
    out, rest = [], pattern
    while rest:
        if rest.startswith("**"):
            out.append(".*")
            rest = rest[2:]
        elif rest[0] == "*":
            out.append(f"{other}*")
            rest = rest[1:]
        elif rest[0] == "?":
            out.append(other)
            rest = rest[1:]
        elif rest[0] == "[" and "]" in rest[2:]:
            end = rest.index("]", 2)
            body = rest[1:end].replace("\\", r"\\").replace("[", r"\[")
            out.append(f"[^{body[1:]}]" if body[0] == "!" else f"[{body}]")
            rest = rest[end + 1 :]
        else:
            out.append(re.escape(rest[0]))
            rest = rest[1:]
    return re.compile("".join(out), re.DOTALL)


class Patterns:
    """A list of globs; those that begin with ``!`` exclude. Only exclusions: everything else matches."""

    def __init__(self, patterns: Iterable[str], separator: str = "") -> None:
        listed = tuple(patterns)
        self.wanted = tuple(pattern for pattern in listed if not pattern.startswith("!"))
        self.unwanted = tuple(pattern[1:] for pattern in listed if pattern.startswith("!"))
        # Most are plain names, which need no expression.
        self._names = frozenset(pattern for pattern in self.wanted if fixed_start(pattern) == pattern)
        self._wanted = [_compile(pattern, separator) for pattern in self.wanted if pattern not in self._names]
        self._unwanted = [_compile(pattern, separator) for pattern in self.unwanted]

    def match(self, text: str) -> bool:
        """Tell whether the text matches a wanted pattern (if there are any) and no unwanted one."""
        if self.wanted and text not in self._names and not _any(self._wanted, text):
            return False
        return not _any(self._unwanted, text)

    def match_any(self, texts: Iterable[str]) -> bool:
        """Tell whether any of the texts matches."""
        return any(self.match(text) for text in texts)


def _any(patterns: Iterable[re.Pattern[str]], text: str) -> bool:
    # A plain loop is much quicker than a generator, and every event comes by here.
    for pattern in patterns:  # noqa: SIM110
        if pattern.fullmatch(text):
            return True
    return False


def fixed_start(pattern: str) -> str:
    """Return what every text begins with that a glob matches; the whole glob, if it matches only itself."""
    return _SPECIAL.split(pattern, maxsplit=1)[0]


def check_glob(pattern: str) -> str:
    """Return the pattern, or raise ValueError saying what is wrong with it."""
    bare = pattern.removeprefix("!")
    if not bare:
        raise ValueError("an empty pattern matches nothing; write * for everything")
    try:
        _compile(bare, "/")
    except re.error as error:
        raise ValueError(f"not a glob: {error}") from None
    return pattern


def severities(text: str) -> frozenset[Severity]:
    """Return the severities that ``critical``, ``>= warning``, ``< error`` … stand for.

    Raises ValueError for anything else.
    """
    found = _COMPARISON.fullmatch(text.strip())
    levels = ", ".join(Severity)
    if found is None:
        raise ValueError(f'write a severity ({levels}), or a comparison such as ">= warning"')
    try:
        level = Severity(found["level"])
    except ValueError:
        raise ValueError(f"unknown severity {found['level']}; there are {levels}") from None
    compare = _COMPARE[found["sign"] or "="]
    return frozenset(severity for severity in Severity if compare(severity.rank, level.rank))


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
