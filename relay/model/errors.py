"""The product's errors and the exit status that each one ends a command with.

Every message is written for an operator: what was wrong, where, and what would be right. None may hold
a secret.
"""

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


class RelayError(Exception):
    """Base of all errors that the product raises on purpose."""

    exit: Exit = Exit.FAILED


class ConfigError(RelayError):
    """The configuration cannot be used."""

    exit = Exit.CONFIG


class StoreError(RelayError):
    """The store cannot be opened, read or written."""

    exit = Exit.STORE


class StoreBusyError(StoreError):
    """Another process runs on the same store."""

    exit = Exit.BUSY


class NotFoundError(RelayError):
    """What was asked for by name or id does not exist."""

    exit = Exit.NOT_FOUND
