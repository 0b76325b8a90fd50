"""What is verified by keys, thresholds, hashes and roots, with data that no real program would write."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.trust import GoneError, changes, examine, listing

from .author import GUN, Author, Book, Delegation, canonical, meta, publish, refused, signed, tag
from .stored import Stored


@pytest.mark.parametrize("part", ["root", "targets", "snapshot", "timestamp"])
async def test_what_a_stranger_signed(part: str) -> None:
    book, stranger = Book(), Author.make("ecdsa-x509")
    if part == "root":
        book.root_signers = (stranger,)
    elif part == "targets":
        book.raw[part] = signed(book.targets(), stranger)
    else:
        source = Stored()
        book.publish(source)
        [raw] = [raw for (name, _), raw in source.files.items() if name == part]
        book.raw[part] = signed(json.loads(raw)["signed"], stranger)
    await refused(book, role=part, match="0 of its 1 keys signed it; 1 must")


async def test_all_hashes_have_to_fit() -> None:
    book = Book()
    files = {"root": signed(book.root(), book.root_key), "targets": signed(book.targets(), book.targets_key)}
    listed = {name: meta(raw) for name, raw in files.items()}
    listed["targets"]["hashes"]["sha512"] = listed["root"]["hashes"]["sha512"]
    book.raw["snapshot"] = signed(book.head("Snapshot", meta=listed), book.snapshot_key)
    await refused(book, role="targets", match="not the file that its hash names")


async def test_delegations() -> None:
    alice, bob = Author.make("ecdsa-x509", name="alice"), Author.make("rsa-x509", name="bob")
    book = Book()
    book.delegations = {
        "targets/b": Delegation.by(bob, tags={"1.0": tag(b"b"), "b": tag(b"b")}),
        "targets/a": Delegation.by(alice, tags={"rel-1": tag(b"a"), "x": tag(b"a")}, paths=["rel-", "1"]),
        "targets/unpublished": Delegation.by(alice),
        "targets/b/c": Delegation.by(alice, tags={"b": tag(b"c"), "rel-1": tag(b"c")}),
    }
    source = Stored()
    found = await publish(book, source=source)
    # In notary's order: level by level, as each role lists its own. Not more than the paths allow.
    assert {name: sorted(tags) for name, tags in found.state.tags.items()} == {
        "targets": ["1.0"],
        "targets/b": ["1.0", "b"],
        "targets/a": ["rel-1"],
        "targets/b/c": ["b", "rel-1"],
    }
    assert [(each.name, each.role) for each in listing(found.state)] == [
        ("1.0", "targets"),
        ("b", "targets/b"),
        ("rel-1", "targets/a"),
    ]
    assert found.requests == 7
    assert "targets/unpublished" in found.state.roles
    assert "targets/unpublished" not in found.state.versions

    # What did not change is not fetched again, nor checked.
    book.delegations["targets/b/c"].tags = {"new": tag(b"new")}
    source.asked.clear()
    again = await publish(book, found.state, source)
    assert source.asked == ["timestamp", "snapshot", "targets/b/c"]
    assert (again.requests, again.checks, again.renewed) == (3, 3, ("targets/b/c",))
    assert again.state == (await publish(book)).state


async def test_what_a_parent_may_not_sign_its_child_may_not_either() -> None:
    alice = Author.make()
    book = Book()
    book.delegations = {
        "targets/a": Delegation.by(alice, tags={}, paths=["rel-"]),
        "targets/a/b": Delegation.by(alice, tags={"rel-1": tag(b""), "dev-1": tag(b"")}, paths=["rel-1", ""]),
        "targets/a/b/c": Delegation.by(alice, tags={"rel-2": tag(b"")}, paths=["rel-2"]),
    }
    found = (await publish(book)).state
    assert {role: set(tags) for role, tags in found.tags.items()} == {
        "targets": {"1.0"},
        "targets/a": set(),
        "targets/a/b": {"rel-1"},
        "targets/a/b/c": set(),
    }


async def test_a_delegation_that_does_not_verify_is_passed_over() -> None:
    alice, bob = Author.make(), Author.make()
    book = Book()
    book.delegations["targets/a"] = Delegation.by(alice, tags={"a": tag(b"a")})
    book.delegations["targets/a/b"] = Delegation.by(bob, tags={"b": tag(b"b")})
    before = (await publish(book)).state
    book.delegations["targets/a"].authors = (bob,)
    source = Stored()
    found = await publish(book, before, source)
    assert found.state.unsigned == ("targets/a",)
    assert set(found.state.tags) == {"targets"}
    assert "targets/a/b" not in found.state.roles
    changed = changes(before, found.state)
    assert changed.unsigned == ("targets/a",)
    assert {each.role for each in changed.tags_removed} == {"targets/a", "targets/a/b"}
    # Nobody has signed it meanwhile: it is not fetched again.
    book.tags["2.0"] = tag(b"two")
    book.delegations["targets/x"] = Delegation.by(alice)
    source.asked.clear()
    again = await publish(book, found.state, source)
    assert source.asked == ["timestamp", "snapshot", "targets"]
    assert again.state.unsigned == ("targets/a",)
    book.delegations["targets/a"].signers = (bob,)
    assert changes(again.state, (await publish(book, again.state)).state).signed_again == ("targets/a",)


async def test_targets_that_a_new_root_gives_to_others_are_checked_again() -> None:
    book = Book()
    before = (await publish(book)).state
    book.raw["targets"] = signed(book.targets(), book.targets_key)
    before = (await publish(book)).state
    book.targets_key = Author.make()
    book.version = 2
    await refused(book, role="targets", match="0 of its 1 keys", before=before)


class TestRoots:
    """Whether the former root vouches for the new one."""

    async def rotate(
        self, source: Stored, times: int, *, gap: Callable[[int], bool] = lambda _: False
    ) -> Any:
        """A root key after the other, each new root signed by the former key and the new one."""
        book = Book()
        first = await publish(book, source=source)
        for _ in range(times):
            former, book.root_key = book.root_key, Author.make("ecdsa-x509")
            book.version += 1
            book.root_signers = (book.root_key,) if gap(book.version) else (former, book.root_key)
            digest = book.publish(source)
        source.asked.clear()
        return book, first.state, await examine(source, digest, first.state, gun=GUN)

    async def test_the_same(self) -> None:
        book, source = Book(), Stored()
        first = await publish(book, source=source)
        assert first.root_signed_by_old is None
        book.tags["2.0"] = tag(b"two")
        assert (await publish(book, first.state, source)).root_signed_by_old is None
        assert "root" not in source.asked[4:]

    async def test_one_step(self) -> None:
        source = Stored()
        _, _, found = await self.rotate(source, 1)
        assert found.root_signed_by_old is True
        assert source.asked == ["timestamp", "snapshot", "root", "targets"]
        assert found.requests == 4

    @pytest.mark.parametrize("times", [2, 11])
    async def test_steps_between(self, times: int) -> None:
        source = Stored()
        _, _, found = await self.rotate(source, times)
        assert found.root_signed_by_old is True
        assert source.asked.count("2.root") == 1
        assert found.requests == 4 + times - 1

    async def test_too_many_steps_between(self) -> None:
        source = Stored()
        _, _, found = await self.rotate(source, 12)
        assert found.root_signed_by_old is False
        assert found.requests == 4

    @pytest.mark.parametrize("broken", [2, 3, 4])
    async def test_a_step_without_the_former_key(self, broken: int) -> None:
        _, _, found = await self.rotate(Stored(), 3, gap=lambda version: version == broken)
        assert found.root_signed_by_old is False

    async def test_a_step_that_is_not_what_it_says(self) -> None:
        source = Stored()
        book, first, _ = await self.rotate(source, 3)
        digest = book.publish(source)
        good = dict(source.roots)
        for wrong in (None, good[3], b"{", b"x" * (2**20 + 1), good[2].replace(b"2036", b"2037")):
            source.roots = {**good, 2: wrong} if wrong is not None else {3: good[3]}
            assert (await examine(source, digest, first, gun=GUN)).root_signed_by_old is False
        source.roots = good
        assert (await examine(source, digest, first, gun=GUN)).root_signed_by_old is True

    async def test_a_root_that_takes_the_place_of_another(self) -> None:
        """Only the version says so: the second root, shown also as the third, would lead to the fourth."""
        source, book = Stored(), Book()
        first = await publish(book, source=source)
        for version in (2, 4):
            former, book.root_key, book.version = book.root_key, Author.make("ecdsa-x509"), version
            book.root_signers = (former, book.root_key)
            digest = book.publish(source)
        source.roots[3] = source.roots[2]
        assert (await examine(source, digest, first.state, gun=GUN)).root_signed_by_old is False

    async def test_a_step_whose_own_key_did_not_sign(self) -> None:
        source, book = Stored(), Book()
        first = await publish(book, source=source)
        former, book.root_key, book.version = book.root_key, Author.make("ecdsa-x509"), 2
        source.roots[2] = signed(book.root(), former)
        former, book.root_key, book.version = book.root_key, Author.make("ecdsa-x509"), 3
        book.root_signers = (former, book.root_key)
        digest = book.publish(source)
        assert (await examine(source, digest, first.state, gun=GUN)).root_signed_by_old is False

    async def test_another_root(self) -> None:
        before = (await publish(Book(version=5))).state
        source = Stored()
        found = await publish(Book(), before, source)
        assert found.root_signed_by_old is False
        assert found.requests == 4
        assert {each.role for each in changes(before, found.state).regressed} == {
            "root", "snapshot", "targets", "timestamp",
        }  # fmt: skip


class TestRenewals:
    """What the server signs by itself."""

    async def test_the_timestamp(self) -> None:
        book, source = Book(), Stored()
        first = await publish(book, source=source)
        document = book.head("Timestamp", meta={"snapshot": self.meta_of(source, "snapshot")}, version=2)
        book.raw["timestamp"] = signed(document | {"expires": "2037-01-01T00:00:00Z"}, book.timestamp_key)
        source.asked.clear()
        found = await publish(book, first.state, source)
        assert source.asked == ["timestamp"]
        assert (found.resigned, found.renewed, found.requests, found.checks) == (True, (), 1, 1)
        assert found.state == (await publish(book, source=source)).state
        assert found.state.versions["timestamp"] == 2
        assert not changes(first.state, found.state)

    async def test_the_snapshot(self) -> None:
        book, source = Book(), Stored()
        first = await publish(book, source=source)
        listed = {name: self.meta_of(source, name) for name in ("root", "targets")}
        book.raw["snapshot"] = signed(book.head("Snapshot", meta=listed) | {"version": 2}, book.snapshot_key)
        book.raw["root"], book.raw["targets"] = (source.files[k] for k in source.files if k[0] in listed)
        source.asked.clear()
        found = await publish(book, first.state, source)
        assert source.asked == ["timestamp", "snapshot"]
        assert (found.resigned, found.requests) == (True, 2)

    async def test_a_snapshot_that_hides_a_delegation_is_no_renewal(self) -> None:
        alice = Author.make()
        book, source = Book(), Stored()
        book.delegations["targets/a"] = Delegation.by(alice, tags={"a": tag(b"a")})
        first = await publish(book, source=source)
        listed = {name: self.meta_of(source, name) for name in ("root", "targets")}
        book.raw = {name: raw for (name, _), raw in source.files.items() if name in listed}
        book.raw["snapshot"] = signed(book.head("Snapshot", meta=listed), book.snapshot_key)
        found = await publish(book, first.state, source)
        assert (found.resigned, found.renewed) == (False, ("targets/a",))
        assert [each.name for each in changes(first.state, found.state).tags_removed] == ["a"]

    async def test_the_same_record_again(self) -> None:
        book, source = Book(), Stored()
        first = await publish(book, source=source)
        source.asked.clear()
        again = await publish(book, first.state, source)
        assert (source.asked, again.requests, again.state) == ([], 0, first.state)

    async def test_a_renewal_must_be_signed_too(self) -> None:
        book, source = Book(), Stored()
        first = await publish(book, source=source)
        book.raw["timestamp"] = signed(
            book.head("Timestamp", meta={"snapshot": self.meta_of(source, "snapshot")}), Author.make()
        )
        await refused(book, role="timestamp", match="0 of its 1 keys", before=first.state)

    def meta_of(self, source: Stored, wanted: str) -> Any:
        [raw] = [raw for (name, _), raw in source.files.items() if name == wanted]
        return meta(raw)


async def test_expired_data_is_no_error() -> None:
    book = Book()
    for part, author in (("root", book.root_key), ("targets", book.targets_key)):
        document = {**getattr(book, part)(), "expires": "2001-02-03T04:05:06.123456789+05:30"}
        book.raw[part] = signed(document, author)
    found = await publish(book)
    assert found.state.expires["targets"].isoformat() == "2001-02-02T22:35:06.123456+00:00"
    assert found.state.expires["snapshot"].isoformat() == "2036-11-23T20:58:11.165146+00:00"


@pytest.mark.parametrize("part", ["root", "targets", "snapshot", "timestamp", "targets/a"])
async def test_what_is_missing(part: str) -> None:
    book, source = Book(), Stored()
    book.delegations["targets/a"] = Delegation.by(Author.make(), tags={})
    digest = book.publish(source)
    source.files = {key: raw for key, raw in source.files.items() if key[0] != part}
    with pytest.raises(GoneError) as caught:
        await examine(source, digest, None, gun=GUN)
    assert caught.value.role == part


async def test_signed_names_and_numbers_as_go_writes_them() -> None:
    custom = {"big": 2**53 + 1, "ratio": 3, "text": '<&>\u2028é\x00\\"', "none": None, "yes": [True, {}]}
    book = Book(tags={"ä/<b>&": tag(b"x") | {"custom": custom}})
    # Go reads 2**53 + 1 as a float, and that is what it takes for signed.
    as_go = json.loads(json.dumps(book.targets()).replace(str(2**53 + 1), str(2**53)))
    document = {"signed": book.targets(), "signatures": [book.targets_key.signature(canonical(as_go))]}
    book.raw["targets"] = json.dumps(document).encode()
    assert set((await publish(book)).state.tags["targets"]) == {"ä/<b>&"}
    book.raw["targets"] = json.dumps(document).replace('"ratio": 3', '"ratio": 0.3e1').encode()
    assert set((await publish(book)).state.tags["targets"]) == {"ä/<b>&"}


async def test_a_tag_without_sha256() -> None:
    """`notary addhash --sha512` makes them; `notary list` shows nothing in place of the digest."""
    about = tag(b"x")
    del about["hashes"]["sha256"]
    found = await publish(Book(tags={"1.0": about}))
    assert found.state.tags["targets"]["1.0"] == ("", 1)
