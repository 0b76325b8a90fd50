"""The how-to of the evidence: its configuration loads, and its verifier finds what the relay's own does."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.engine.exports import line
from relay.engine.signing import Key
from relay.model.evidence import Entry
from relay.store import EvidenceCut, Store
from tests.cli.conftest import Shell
from tests.store.chains import KEY, entries, fill
from tests.store.things import later

HOW_TO = (Path(__file__).parents[2] / "docs" / "how-to" / "evidence.md").read_text()
Verify = Callable[[list[str]], tuple[int, str]]


@pytest.fixture(scope="module")
def verify() -> Verify:
    found = re.search(r"<!-- example: verify -->\n```python\n(.*?)```", HOW_TO, re.DOTALL)
    assert found
    defined: dict[str, Any] = {}
    exec(found[1], defined)
    made: Verify = defined["verify"]
    return made


async def chain(path: Path, *, pruned: bool) -> list[Entry]:
    store = Store(f"sqlite:///{path}")
    await fill(store, 8, anchor_at=6)
    if pruned:
        await store.prune_evidence(EvidenceCut(later(3.5), later(9), KEY))
    found = await entries(store)
    store.close()
    return found


@pytest.mark.parametrize("pruned", [False, True])
def test_a_third_partys_verifier(tmp_path: Path, verify: Verify, pruned: bool) -> None:
    found = asyncio.run(chain(tmp_path / "relay.db", pruned=pruned))
    lines = [line(entry) for entry in found]
    assert verify(lines) == (9, found[-1].hash)
    for at in range(1, len(lines)):
        changed = lines[at].replace("2026", "2025").replace('"seq\\":6', '"seq\\":5')
        assert changed != lines[at]
        with pytest.raises(ValueError, match="is broken"):
            verify([*lines[:at], changed, *lines[at + 1 :]])
        if at < len(lines) - 1:
            with pytest.raises(ValueError, match="is broken"):
                verify(lines[:at] + lines[at + 1 :])


def test_its_configuration_is_one(shell: Shell) -> None:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode()
    key = shell.folder / "evidence.pem"
    key.write_text(pem)
    key.chmod(0o600)
    found = re.search(r"```yaml\n(.*?)```", HOW_TO, re.DOTALL)
    assert found
    settings = yaml.safe_load(found[1].replace("/etc/msr-relay/evidence.pem", str(key)))
    cluster = {"name": "prod", "url": "https://msr.example.com", "username": "u", "password": "p"}
    shell.write({"clusters": [cluster], **settings})
    ended = shell.run("check", "--json")
    assert ended.status == 0, ended
    assert pem.splitlines()[1] not in ended.out + ended.err
    asyncio.run(fill_signed(shell.folder / "relay.db", Key(pem)))
    public = private.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    (shell.folder / "evidence.pub.pem").write_bytes(public)
    for words in ([], ["--key", "evidence.pub.pem"]):
        ended = shell.run("audit", "verify", *words)
        assert "1 good" in ended.out, ended


async def fill_signed(path: Path, key: Key) -> None:
    store = Store(f"sqlite:///{path}")
    await fill(store, 2)
    await store.prune_evidence(EvidenceCut(later(1.5), later(9), key))
    store.close()
