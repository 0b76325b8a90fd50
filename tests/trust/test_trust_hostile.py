"""A server that means harm: every answer ends in InvalidError, for a bounded number of requests and bytes."""

import base64
import json
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from relay.trust import InvalidError, examine
from relay.trust.document import MOST_ROLES, MOST_TAGS, read
from relay.trust.examine import LARGE, MEDIUM, MOST_BYTES, MOST_REQUESTS, SMALL
from relay.trust.signatures import MOST_CHECKS
from relay.trust.strict import DEEPEST, MOST_VALUES, parse

from .author import GUN, Author, Book, Delegation, meta, signed, tag
from .stored import Stored

ALICE = Author.make("ecdsa-x509", name="alice")
DEEP = 100_000
Change = Callable[[dict[str, Any]], object]


async def attempt(raw: bytes, role: str) -> None:
    """Serves the bytes as a role's file; they must be refused, on account of it."""
    book, source = Book(), Stored()
    book.raw[role] = raw
    with pytest.raises(InvalidError) as caught:
        await examine(source, book.publish(source), None, gun=GUN)
    assert caught.value.role == role
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"\xff\xfe\x00",
        "{}".encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"[" * 20_000,
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"signed":{},"signed":{},"signatures":[]}',
        b'{"signed":NaN,"signatures":[]}',
        b'{"signed":{"_type":"Root","version":1e400},"signatures":[]}',
        b'{"signed":{"version":' + b"9" * 30_000 + b'},"signatures":[]}',
        b'{"signed":{"version":1.5},"signatures":[]}',
        b'{"signed":{"version":1,"x":"\\ud800"},"signatures":[]}',
        b'{"signed":{"version":' + b"-" * 30_000,
    ],
    ids=range(19),
)
async def test_what_is_no_document(raw: bytes, role: str) -> None:
    await attempt(raw, role)


def renamed(name: str) -> Change:
    return lambda document: document["delegations"]["roles"][0].update(name=name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "a", "root", "targets", "targets/", "Targets/a", "targets//a", "targets/a/b", "targets/.."),
        *("targets/A", "targets/ a", "targets/a\n", "targets/ä", "targets/" + "a" * 250),
    ],
)
async def test_names_of_delegations(name: str) -> None:
    await self_signed(renamed(name), match=r"cannot be a delegation|is no text|printed")


async def self_signed(change: Change, *, match: str) -> None:
    book = Book()
    book.delegations["targets/a"] = Delegation.by(Author.make(), tags={})
    document = book.targets()
    change(document)
    book.raw["targets"] = signed(document, book.targets_key)
    source = Stored()
    with pytest.raises(InvalidError, match=match) as caught:
        await examine(source, book.publish(source), None, gun=GUN)
    assert caught.value.role in {"targets", "targets/a"}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda d: d.update(_type="targets"), "of type 'targets'"),
        (lambda d: d.update(_type="Root"), "of type 'Root'"),
        (lambda d: d.update(version=0), "version below 1"),
        (lambda d: d.update(version=True), "version is no number"),
        (lambda d: d.update(version=2**53), "version is no number"),
        (lambda d: d.update(expires="tomorrow"), "expires is no time"),
        (lambda d: d.update(expires="0000-01-01T00:00:00Z"), "out of range"),
        (lambda d: d.update(expires="0001-01-01T00:00:00+23:59"), "out of range"),
        (lambda d: d.update(expires="2026-13-01T00:00:00Z"), "out of range"),
        (lambda d: d.update(targets=[]), "targets is no object"),
        (lambda d: d["targets"].update({"a\x1b[2J": tag(b"")}), "a tag holds what cannot be printed"),
        (lambda d: d["targets"].update({"a\u202e": tag(b"")}), "cannot be printed"),
        (lambda d: d["targets"].update({"": tag(b"")}), "a tag is no text"),
        (lambda d: d["targets"].update({"a" * 1001: tag(b"")}), "at most 1000 characters"),
        (lambda d: d["targets"].update(a={"hashes": {}, "length": 1}), "no hash"),
        (lambda d: d["targets"].update(a={"hashes": {"sha256": "AAAA"}, "length": 1}), "no hash"),
        (lambda d: d["targets"]["1.0"].update(length=-1), "length is no number"),
        (lambda d: d["delegations"]["roles"].append(d["delegations"]["roles"][0]), "comes twice"),
        (lambda d: d["delegations"]["roles"][0].update(threshold=0), "threshold below 1"),
        (lambda d: d["delegations"]["roles"][0].update(keyids=["0" * 64]), "a key that is not there"),
        (lambda d: d["delegations"]["roles"][0].update(keyids=["x"]), "a key id that is none"),
        (lambda d: d["delegations"]["roles"][0].update(paths=["x"] * 101), "more than 100 paths"),
        (lambda d: d["delegations"].update(keys={"0" * 64: Author.make().document}), "not the one"),
        (lambda d: d["delegations"]["keys"].update({f"{n}": {} for n in range(201)}), "more than 200 keys"),
        (lambda d: d["delegations"].update(roles={"a": 1}), "roles is no list"),
    ],
)  # fmt: skip
async def test_what_is_wrong_although_it_is_signed(change: Change, match: str) -> None:
    await self_signed(change, match=match)


def test_a_name_that_comes_twice() -> None:
    assert parse(b'{"a":{"b":1},"b":1}')
    with pytest.raises(ValueError, match="a name comes twice"):
        parse(b'{"a":{"b":1,"c":2,"\\u0062":1}}')


async def test_nesting_is_bounded_far_below_what_python_bears() -> None:
    def nested(levels: int) -> bytes:
        return b'{"a":' * levels + b"1" + b"}" * levels

    assert parse(nested(DEEPEST))
    with pytest.raises(ValueError, match=f"more than {DEEPEST} levels"):
        parse(nested(DEEPEST + 1))
    with pytest.raises(ValueError, match=f"more than {DEEPEST} levels"):
        parse(b"[" * DEEP + b"]" * DEEP)


def test_memory_is_bounded_before_anything_is_parsed() -> None:
    """Eight megabytes of empty objects would be 200 MB of them."""
    raw = b"[" + b"{}," * (LARGE // 3 - 2) + b"{}]"
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"more than {MOST_VALUES} values"):
        parse(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


async def test_what_is_said_to_be_large_is_not_asked_for() -> None:
    for role, most in [("snapshot", MEDIUM), ("root", MEDIUM), ("targets", LARGE)]:
        book, source = Book(), Stored()
        large = {"hashes": meta(b"")["hashes"], "length": most + 1}
        if role == "snapshot":
            book.raw["timestamp"] = signed(book.head("Timestamp", meta={role: large}), book.timestamp_key)
        else:
            listed = {"root": meta(signed(book.root(), book.root_key)), "targets": large, role: large}
            book.raw["snapshot"] = signed(book.head("Snapshot", meta=listed), book.snapshot_key)
        with pytest.raises(InvalidError, match=rf"said to have {most + 1} bytes; at most {most} are read"):
            await examine(source, book.publish(source), None, gun=GUN)
        assert role not in source.asked
        assert source.bytes_asked <= SMALL + 2 * MEDIUM


@pytest.mark.parametrize("extra", [b" ", b"x" * 1000])
async def test_what_is_longer_than_was_said(extra: bytes) -> None:
    book, source = Book(), Stored()
    digest = book.publish(source)
    source.files = {key: raw + extra for key, raw in source.files.items()}
    with pytest.raises(InvalidError, match="not the file that its hash names"):
        await examine(source, digest, None, gun=GUN)
    assert source.asked == ["timestamp"]


async def test_all_files_together_are_bounded() -> None:
    """Delegations of eight megabytes each, signed or not: the fifth is too much."""
    book, source = Book(), Stored()
    filler = signed(book.head("Targets", targets={}, x="x" * (LARGE - 1000)), ALICE)
    assert LARGE - 1000 < len(filler) <= LARGE
    for n in range(20):
        book.delegations[f"targets/d{n}"] = Delegation.by(ALICE, tags={})
        book.raw[f"targets/d{n}"] = filler
    with pytest.raises(InvalidError, match=f"together have more than {MOST_BYTES} bytes"):
        await examine(source, book.publish(source), None, gun=GUN)
    assert source.asked.count("targets/d3") == 1
    assert "targets/d5" not in source.asked
    assert source.bytes_asked < MOST_BYTES + LARGE


async def test_the_number_of_delegations_is_bounded() -> None:
    book, source = Book(), Stored()
    for n in range(MOST_ROLES - 4):
        book.delegations[f"targets/d{n}"] = Delegation.by(ALICE, tags={})
    found = await examine(source, book.publish(source), None, gun=GUN)
    assert len(found.state.roles) == MOST_ROLES
    assert found.requests == MOST_ROLES <= MOST_REQUESTS
    assert found.checks < MOST_CHECKS
    book.delegations["targets/d0/one-more"] = Delegation.by(ALICE, tags={})
    with pytest.raises(InvalidError, match=f"more than {MOST_ROLES} roles"):
        await examine(source, book.publish(source), None, gun=GUN)


async def test_the_number_of_tags_is_bounded() -> None:
    digest = base64.b64encode(sha256(b"").digest()).decode()
    many = {f"{n}": {"hashes": {"sha256": digest}, "length": 1} for n in range(MOST_TAGS // 2)}
    book, source = Book(tags=dict(many)), Stored()
    book.delegations["targets/a"] = Delegation.by(ALICE, tags=dict(many))
    found = await examine(source, book.publish(source), None, gun=GUN)
    assert sum(map(len, found.state.tags.values())) == MOST_TAGS
    book.delegations["targets/b"] = Delegation.by(ALICE, tags={"one-more": tag(b"")})
    with pytest.raises(InvalidError, match=f"more than {MOST_TAGS} tags"):
        await examine(source, book.publish(source), None, gun=GUN)


async def test_ten_levels_of_delegations_and_no_more() -> None:
    book, source = Book(), Stored()
    name = "targets"
    for n in range(10):
        name += f"/{n}"
        book.delegations[name] = Delegation.by(ALICE, tags={f"{n}": tag(b"")})
    found = await examine(source, book.publish(source), None, gun=GUN)
    assert len(found.state.tags) == 11
    book.delegations[f"{name}/10"] = Delegation.by(ALICE, tags={})
    with pytest.raises(InvalidError, match="cannot be a delegation"):
        await examine(source, book.publish(source), None, gun=GUN)


@pytest.mark.parametrize("digest", ["", "x", "0" * 63, "A" * 64, "../" * 21 + "x", "0" * 64 + "\n"])
async def test_records_without_a_hash(digest: str) -> None:
    source = Stored()
    with pytest.raises(InvalidError, match="the record does not hold its SHA-256") as caught:
        await examine(source, digest, None)
    assert (caught.value.role, source.asked) == ("timestamp", [])


async def test_what_the_server_says_is_shown_escaped_and_cut() -> None:
    nasty = "<b>\x1b[2J\u202e" + "x" * 10_000
    with pytest.raises(InvalidError) as caught:
        read("targets", json.dumps({"signed": {"_type": nasty[:900]}, "signatures": []}).encode())
    assert caught.value.reason.isprintable()
    error = InvalidError(nasty, nasty)
    assert error.reason.startswith(r"<b>\x1b[2J\u202exxx")
    assert (len(error.reason), len(error.role)) == (200, 255)
    assert str(error).isprintable()
