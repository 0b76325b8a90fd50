"""Globally unique names: what trust data is signed under, normally `HOST[:PORT]/NAMESPACE/NAME`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gun:
    """A name taken apart."""

    host: str
    """Empty if the name has none."""
    repository: str
    """`namespace/name`; empty if the name is."""


def split(gun: str, registry_host: str) -> Gun:
    """Take a name apart; `registry_host` is the cluster's own `host[:port]`.

    A first part that is not the cluster's host counts as one if it holds a colon, or if it could be one (it
    holds a dot, or is `localhost`) and two more parts follow: a namespace may hold a dot, but no colon.
    """
    first, slash, rest = gun.partition("/")
    if slash and (first.casefold() == registry_host.casefold() or _is_host(first, rest)):
        return Gun(first, rest)
    return Gun("", gun)


def _is_host(first: str, rest: str) -> bool:
    return ":" in first or ("/" in rest and ("." in first or first == "localhost"))
