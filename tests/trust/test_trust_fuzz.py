"""Random harm to real files and to well-signed ones: it verifies or is refused, and nothing else happens."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.trust import InvalidError, State, examine
from relay.trust import document as documents
from relay.trust.document import read
from relay.trust.signatures import Checks
from tests.real.fixtures import MakeMsr
from tests.real.msr import Msr

from .author import GUN, Author, Book, Delegation, signed, tag
from .people import Delegate
from .stored import Stored, records, stored

ALICE = Author.make("ecdsa-x509", name="alice")
BOOK = Book(delegations={"targets/a": Delegation.by(ALICE, tags={"a": tag(b"a")})})
SIGNERS = {
    "root": BOOK.root_key,
    "targets": BOOK.targets_key,
    "targets/a": ALICE,
    "snapshot": BOOK.snapshot_key,
    "timestamp": BOOK.timestamp_key,
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


class Capture:
    """The files of a real repository: root, timestamp, snapshot, targets and two delegations."""

    def __init__(self, msr: Msr, folder: Path) -> None:
        self.gun = gun = msr.gun("prod/app")
        msr.sign("prod/app", "1.0")
        for name in ("alice", "bob"):
            delegate = Delegate(msr, folder, name, rsa_key=name == "bob")
            msr.client.run("delegation", "add", gun, delegate.role, str(delegate.file), "--all-paths", "-p")
            msr.client.run("add", gun, name, str(delegate.file), "-r", delegate.role, "-p")
        source = stored(msr, gun)
        self.digest = records(msr, gun)[-1]
        self.state = asyncio.run(examine(source, self.digest, None, gun=gun)).state
        assert set(self.state.tags) == {"targets", "targets/alice", "targets/bob"}
        self.files = {role: source.files[role, digest] for role, digest in self.state.hashes.items()}

    async def served(self, role: str, raw: bytes) -> State:
        """What is made of the real files, with one of them exchanged."""
        files = {**self.files, role: raw}
        source = Stored({(name, self.state.hashes[name]): files[name] for name in files})
        return (await examine(source, self.digest, None, gun=self.gun)).state


@pytest.fixture(scope="session")
def capture(make_msr: MakeMsr, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    msr = make_msr()
    made = Capture(msr, tmp_path_factory.mktemp("delegates"))
    msr.close()
    return made


def damaged(data: st.DataObject, raw: bytes) -> bytes:
    changed = bytearray(raw)
    changed[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    return bytes(changed)


@pytest.mark.real("notary")
async def test_the_real_files_verify(capture: Capture) -> None:
    for role, raw in capture.files.items():
        assert await capture.served(role, raw) == capture.state


@pytest.mark.real("notary")
@settings(max_examples=300, deadline=None)
@given(data=st.data())
async def test_any_byte_of_any_real_file(capture: Capture, data: st.DataObject) -> None:
    role = data.draw(st.sampled_from(sorted(capture.files)))
    with pytest.raises(InvalidError, match="it is not the file that its hash names") as caught:
        await capture.served(role, damaged(data, capture.files[role]))
    assert caught.value.role == role


@pytest.mark.real("notary")
@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_any_byte_where_the_hashes_fit(capture: Capture, data: st.DataObject) -> None:
    """The server's own keys can give any hash its blessing: what is left are form and signatures."""
    role = data.draw(st.sampled_from(["root", "targets", "targets/alice", "targets/bob"]))
    raw, state = capture.files[role], capture.state
    good: tuple[str, ...] = ()
    problem: InvalidError | None = None
    try:
        document = read(role, damaged(data, raw))
        what_it_says = documents.root_roles if role == "root" else documents.delegations
        what_it_says(document)
        documents.tags(document)
        good = Checks(capture.gun).signers(document, state.roles[role], state.public_keys)
    except InvalidError as error:
        problem = error
    if problem is not None:
        assert problem.role == role
    if good:
        # A byte outside of what is signed, or of another way to write the same.
        assert document.message == read(role, raw).message


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300) | JUNK.map(json.dumps).map(str.encode), st.sampled_from(["root", "targets/a"]))
def test_junk(raw: bytes, role: str) -> None:
    with pytest.raises(InvalidError):
        read(role, raw)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    for key, inner in inside:
        found += places(inner, (*path, key))
    return found


def mutilated(data: st.DataObject, raw: bytes, author: Author) -> bytes:
    """A document with one of its values gone or exchanged, signed again if that can be."""
    document = json.loads(raw)
    path = data.draw(st.sampled_from(places(document)))
    inside = document
    for key in path[:-1]:
        inside = inside[key]
    if data.draw(st.booleans()) and isinstance(inside, dict):
        del inside[path[-1]]
    else:
        inside[path[-1]] = data.draw(JUNK)
    try:
        return signed(document["signed"], author) if path[0] == "signed" else json.dumps(document).encode()
    except Exception:
        # There is no canonical form of it.
        return json.dumps(document).encode()


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
async def test_any_value_in_place_of_any_other(data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(sorted(SIGNERS)))
    source = Stored()
    BOOK.publish(source)
    [raw] = [raw for (name, _), raw in source.files.items() if name == part]
    BOOK.raw = {part: mutilated(data, raw, SIGNERS[part])}
    digest = BOOK.publish(source)
    BOOK.raw = {}
    state: State | None = None
    problem: InvalidError | None = None
    try:
        state = (await examine(source, digest, None, gun=GUN)).state
    except InvalidError as error:
        problem = error
    if problem is not None:
        assert str(problem).isprintable()
        assert len(str(problem)) < 500
    if state is not None:
        assert State.read(state.write()) == state
        # And what comes after it can be examined.
        await examine(source, BOOK.publish(source), state, gun=GUN)
