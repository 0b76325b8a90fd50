"""What real actions of the real notary client become: verified, listed, compared."""

from pathlib import Path

import pytest

from relay.trust import Changes, State, changes, listing
from relay.trust.keys import canonical_id
from tests.real.msr import Msr

from .people import Delegate, listed
from .stored import newest, records

pytestmark = pytest.mark.real("notary")


class Repository:
    """One repository on a real server, examined after every action."""

    def __init__(self, msr: Msr) -> None:
        self.msr = msr
        self.gun = msr.gun("prod/app")
        self.state: State | None = None

    def run(self, *arguments: str) -> str:
        return self.msr.client.run(*arguments, answer="yes\n")

    def sign(self, tag: str, content: bytes = b"manifest") -> None:
        self.msr.sign("prod/app", tag, content)

    def sign_as(self, delegate: Delegate, tag: str, content: bytes, folder: Path) -> None:
        file = folder / "target"
        file.write_bytes(content)
        self.run("add", self.gun, tag, str(file), "-r", delegate.role, "-p")

    async def look(self) -> Changes:
        """What changed since the last look. The state is the same whether there was one before or not."""
        before = self.state
        found = await newest(self.msr, self.gun, before)
        assert found.state.write() == (await newest(self.msr, self.gun)).state.write()
        assert State.read(found.state.write()) == found.state
        self.found, self.state = found, found.state
        return Changes() if before is None else changes(before, found.state)

    def assert_lists_what_notary_does(self) -> None:
        assert self.state is not None
        ours = [(each.name, each.sha256, each.length, each.role) for each in listing(self.state)]
        assert ours == listed(self.msr, self.gun)


@pytest.fixture
def repository(msr: Msr) -> Repository:
    made = Repository(msr)
    made.sign("1.0", b"one")
    return made


def fields(found: Changes) -> set[str]:
    """The names of those that are not empty."""
    return {name for name in Changes.__dataclass_fields__ if getattr(found, name)}


async def test_tags_come_move_and_go(repository: Repository) -> None:
    await repository.look()
    repository.assert_lists_what_notary_does()

    repository.sign("2.0", b"two")
    found = await repository.look()
    assert fields(found) == {"tags_added"}
    assert [(tag.name, tag.role) for tag in found.tags_added] == [("2.0", "targets")]
    assert repository.found.renewed == ("targets",)
    assert (repository.found.requests, repository.found.resigned) == (3, False)

    repository.sign("2.0", b"another two")
    found = await repository.look()
    assert fields(found) == {"tags_moved"}
    [(before, now)] = found.tags_moved
    assert (before.name, before.length, now.length) == ("2.0", 3, 11)
    assert before.sha256 != now.sha256

    repository.run("remove", repository.gun, "1.0", "-p")
    found = await repository.look()
    assert fields(found) == {"tags_removed"}
    assert [tag.name for tag in found.tags_removed] == ["1.0"]
    repository.assert_lists_what_notary_does()


async def test_delegations(repository: Repository, tmp_path: Path) -> None:
    await repository.look()
    msr, gun = repository.msr, repository.gun
    alice = Delegate(msr, tmp_path, "alice")
    bob = Delegate(msr, tmp_path, "bob", rsa_key=True)

    repository.run("delegation", "add", gun, alice.role, str(alice.file), "--all-paths", "-p")
    found = await repository.look()
    assert fields(found) == {"signers_added"}
    [signer] = found.signers_added
    assert (signer.role, len(signer.keys), signer.threshold) == (alice.role, 1, 1)
    state = repository.state
    assert state is not None
    # By the id that the people see.
    assert canonical_id(*state.public_keys[signer.keys[0]]) in repository.run("delegation", "list", gun)
    assert alice.role not in state.versions
    repository.assert_lists_what_notary_does()

    # The same name in both: targets' counts.
    repository.sign_as(alice, "1.0", b"alice's one", tmp_path)
    repository.sign_as(alice, "rel-1", b"alice", tmp_path)
    found = await repository.look()
    assert fields(found) == {"tags_added"}
    assert [(tag.name, tag.role) for tag in found.tags_added] == [("1.0", alice.role), ("rel-1", alice.role)]
    assert repository.found.renewed == (alice.role,)
    assert repository.state.signers[alice.role] == signer.keys  # type: ignore[union-attr]
    repository.assert_lists_what_notary_does()
    assert ("1.0", "targets") in [(each.name, each.role) for each in listing(repository.state)]  # type: ignore[arg-type]

    # An RSA key; and paths that leave one of two tags out.
    repository.run("delegation", "add", gun, bob.role, str(bob.file), "--paths", "rel-", "-p")
    repository.sign_as(bob, "rel-2", b"bob", tmp_path)
    found = await repository.look()
    assert fields(found) == {"signers_added", "tags_added"}
    repository.assert_lists_what_notary_does()

    # One more key for alice, then one less: what she has signed with it is hers no more.
    carol = Delegate(msr, tmp_path, "carol")
    repository.run("delegation", "add", gun, alice.role, str(carol.file), "-p")
    found = await repository.look()
    assert fields(found) == {"signers_added"}
    [added] = found.signers_added
    assert (added.role, len(added.keys)) == (alice.role, 1)
    assert added.keys != signer.keys
    hers = canonical_id(*repository.state.public_keys[signer.keys[0]])  # type: ignore[union-attr]
    repository.run("delegation", "remove", gun, alice.role, hers, "-p")
    found = await repository.look()
    assert fields(found) == {"signers_removed", "tags_removed", "unsigned"}
    assert [(each.role, each.keys) for each in found.signers_removed] == [(alice.role, signer.keys)]
    assert found.unsigned == (alice.role,)
    assert {tag.role for tag in found.tags_removed} == {alice.role}
    repository.assert_lists_what_notary_does()

    # Carol vouches for what is there.
    repository.run("witness", gun, alice.role, "-p")
    found = await repository.look()
    assert fields(found) == {"tags_added", "signed_again"}
    repository.assert_lists_what_notary_does()

    repository.run("delegation", "remove", gun, alice.role, "-y", "-p")
    found = await repository.look()
    assert fields(found) == {"signers_removed", "tags_removed"}
    repository.assert_lists_what_notary_does()


async def test_delegations_below_delegations(repository: Repository, tmp_path: Path) -> None:
    team, alice = Delegate(repository.msr, tmp_path, "team"), Delegate(repository.msr, tmp_path, "alice")
    alice.role = "targets/team/alice"
    gun = repository.gun
    repository.run("delegation", "add", gun, team.role, str(team.file), "--paths", "rel-,dev-", "-p")
    repository.sign_as(team, "rel-1", b"team", tmp_path)
    repository.run("delegation", "add", gun, alice.role, str(alice.file), "--paths", "rel-a,dev-a", "-p")
    for tag in ("rel-a1", "dev-a1"):
        repository.sign_as(alice, tag, b"alice", tmp_path)
    await repository.look()
    assert repository.state is not None
    assert repository.state.roles[alice.role].paths == ("dev-a", "rel-a")
    assert list(repository.state.tags) == ["targets", team.role, alice.role]
    repository.assert_lists_what_notary_does()

    # What her parent may not sign, she may not either; her own files stay as they are.
    repository.run("delegation", "remove", gun, team.role, "--paths", "dev-", "-p")
    found = await repository.look()
    assert repository.state.roles[alice.role].paths == ("rel-a",)
    assert [tag.name for tag in found.tags_removed] == ["dev-a1"]
    repository.assert_lists_what_notary_does()


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
async def test_keys_of_the_base_roles(repository: Repository, role: str) -> None:
    await repository.look()
    server = ["-r"] if role in ("timestamp", "snapshot") else []
    repository.run("key", "rotate", repository.gun, role, *server)
    found = await repository.look()
    assert fields(found) == {"rotated"}
    [rotated] = found.rotated
    assert (rotated.role, len(rotated.added), len(rotated.removed)) == (role, 1, 1)
    assert repository.found.root_signed_by_old is True
    repository.sign("2.0")
    assert fields(await repository.look()) == {"tags_added"}
    assert repository.found.root_signed_by_old is None
    repository.assert_lists_what_notary_does()


async def test_the_root_key_once_and_while_nobody_looked(repository: Repository) -> None:
    await repository.look()
    repository.run("key", "rotate", repository.gun, "root")
    found = await repository.look()
    assert [each.role for each in found.rotated] == ["root"]
    assert repository.found.root_signed_by_old is True
    for _ in range(3):
        repository.run("key", "rotate", repository.gun, "root")
    found = await repository.look()
    assert [each.role for each in found.rotated] == ["root"]
    assert repository.found.root_signed_by_old is True
    # The roots between were looked at, and no key that signed is missing.
    assert repository.found.requests > 3
    repository.assert_lists_what_notary_does()


async def test_another_life_under_other_keys(repository: Repository, msr: Msr) -> None:
    repository.sign("2.0")
    await repository.look()
    msr.delete("prod/app")
    stranger = msr.client_for(msr.add_user("stranger", "password"))
    msr.users["stranger"] = type(msr.admin)("stranger", "password", admin=True)
    stranger.sign(repository.gun, "1.0", b"evil")
    found = await repository.look()
    assert repository.found.root_signed_by_old is False
    assert {each.role for each in found.rotated} >= {"root", "targets", "snapshot"}
    assert {"targets", "snapshot"} <= {each.role for each in found.regressed}


async def test_a_life_under_the_same_root(repository: Repository, msr: Msr) -> None:
    await repository.look()
    msr.delete("prod/app")
    repository.sign("1.0", b"again")
    found = await repository.look()
    assert {each.role for each in found.rotated} >= {"targets"}
    # notary makes a new certificate for the same root key: one id more for one key less.
    assert repository.found.root_signed_by_old is False


async def test_a_renewed_timestamp_is_no_signing(repository: Repository, msr: Msr) -> None:
    await repository.look()
    msr.notary.expire_timestamp(repository.gun)
    repository.run("list", repository.gun)
    assert len(records(msr, repository.gun)) == 3
    found = await repository.look()
    assert fields(found) == set()
    assert not found
    assert repository.found.resigned
    assert repository.found.renewed == ()
    assert repository.found.requests == 1


async def test_a_renewed_snapshot_is_no_signing(repository: Repository, msr: Msr) -> None:
    repository.run("key", "rotate", repository.gun, "snapshot", "-r")
    await repository.look()
    gun = repository.gun
    # Aged like the timestamp; the timestamp has to name the aged one for the server to find it.
    msr.notary.expire_snapshot(gun)
    repository.run("list", gun)
    found = await repository.look()
    assert fields(found) == set()
    assert repository.found.resigned
    assert repository.found.requests == 2
