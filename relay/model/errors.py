"""The product's errors and the exit status that each one ends a command with.

Every message is written for an operator: what was wrong, where, and what would be right. None may hold
a secret.
"""

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of the command line; documented in docs/reference/exit-codes.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    STORE = 4
    UNREACHABLE = 5
    NOT_FOUND = 6
    BUSY = 7
    BROKEN = 8


class RelayError(Exception):
    """Base of all errors that the product raises on purpose."""

    exit: Exit = Exit.FAILED


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the configuration.

    `where` is the place (`relay.yaml:12:5`, `environment variable RELAY_X`), `key` the setting
    (`channels[security].url`), either may be empty; `hint` says what would be right.
    """

    where: str
    key: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        text = self.message if self.hint is None else f"{self.message}; {self.hint}"
        return ": ".join(part for part in (self.where, self.key, text) if part)


class ConfigError(RelayError):
    """The configuration cannot be used: all its problems at once, one line each."""

    exit = Exit.CONFIG

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(p if isinstance(p, Problem) else Problem("", "", p) for p in problems)
        super().__init__("\n".join(map(str, self.problems)))


class StoreError(RelayError):
    """The store cannot be opened, read or written."""

    exit = Exit.STORE


class StoreBusyError(StoreError):
    """Another process runs on the same store."""

    exit = Exit.BUSY


class NotFoundError(RelayError):
    """What was asked for by name or id does not exist."""

    exit = Exit.NOT_FOUND
