"""Fills a secret X from the file that its sibling `X_file` names (Docker and Kubernetes secrets)."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relay.config import shape as shapes
from relay.config.interpolate import Finding
from relay.config.shape import Shape
from relay.config.tree import Entry, Items, Layer, Loc, Node, Origin, Scalar, Table

MAX_BYTES: Final = 64 * 1024

Report = Callable[[Finding], None]


def fill(root: Table, kinds: Shape, base: Path, report: Report) -> Table:
    """The tree with its secret files read.

    A path in the configuration file is relative to `base`, one in a variable to the working directory. Where
    the secret is a list, each line of the file is a member. When both X and X_file are given, the one of the
    higher layer counts; in the same layer it is an error. Errors are reported and leave X empty.
    """
    done = _fill(root, kinds, (), base, report)
    assert isinstance(done, Table)
    return done


def _fill(node: Node, kinds: Shape, loc: Loc, base: Path, report: Report) -> Node:
    kinds = shapes.fitting(kinds, node)
    if isinstance(node, Items):
        below = shapes.items(kinds)
        members = (_fill(member, below, (*loc, at), base, report) for at, member in enumerate(node.members))
        return Items(tuple(members), node.origin)
    if isinstance(node, Scalar):
        return node
    entries = {
        key: Entry(entry.key, _fill(entry.value, shapes.below(kinds, key), (*loc, key), base, report))
        for key, entry in node.entries.items()
    }
    files = {name: key for model in shapes.models(kinds) for name, key in shapes.secret_files(model).items()}
    for name, key in files.items():
        if name in entries:
            entry, rival = entries.pop(name), entries.get(key)
            if rival is not None and rival.key.layer > entry.key.layer:
                continue
            if rival is not None and rival.key.layer == entry.key.layer:
                report(
                    Finding((*loc, name), entry.value.origin, f'is given beside "{key}"', "write one of them")
                )
                continue
            listed = bool(shapes.items(shapes.below(kinds, key)))
            entries[key] = Entry(entry.key, _secret(entry.value, listed, (*loc, name), base, report))
    return Table(entries, node.origin)


def _secret(node: Node, listed: bool, loc: Loc, base: Path, report: Report) -> Node:
    origin: Origin = node.origin
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
        report(Finding(loc, origin, "must be the path of a file"))
        return Scalar("", origin, hidden=True)
    path = Path(node.value)
    if origin.layer is Layer.FILE:
        path = base / path
    text, trouble = _read(path)
    if trouble is not None:
        # A hidden path may be a password that was put into the wrong variable.
        which = "the file" if node.hidden else f"the file {path}"
        report(Finding(loc, origin, f"{which} {trouble}"))
    if not listed:
        return Scalar(text, origin, hidden=True)
    lines = (line.strip() for line in text.splitlines())
    return Items(tuple(Scalar(line, origin, hidden=True) for line in lines if line), origin)


def _read(path: Path) -> tuple[str, str | None]:
    """The text without one newline at its end, and what is wrong with the file."""
    try:
        # A pipe would keep the relay waiting for its writer: without blocking it opens, and is refused.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return "", "is not a regular file"
            raw = os.read(handle, MAX_BYTES + 1)
        finally:
            os.close(handle)
    except OSError as error:
        return "", f"cannot be read: {error.strerror}"
    except ValueError:
        return "", "cannot be read: its name holds a NUL character"
    if len(raw) > MAX_BYTES:
        return "", f"is larger than {MAX_BYTES // 1024} KiB"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "", "is not UTF-8"
    text = text.removesuffix("\n").removesuffix("\r")
    return (text, None) if text else ("", "is empty")
