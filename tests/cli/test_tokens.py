"""`msr-relay token`: a token is shown once, on standard output and nowhere else."""

import json
import re
import sqlite3
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from relay.model.errors import Exit
from tests.acceptance.relay import Relay
from tests.cli.conftest import Shell

SECRET = re.compile(r"msr_[A-Za-z0-9_-]{43}\n")


@pytest.fixture
def shell(shell: Shell) -> Shell:
    shell.write({"timezone": "Europe/Berlin"})
    return shell


def names(shell: Shell, *words: str) -> dict[str, str]:
    return {each["name"]: each["state"] for each in shell.run("token", "list", "--json", *words).json}


def test_the_token_is_all_of_standard_output_and_is_kept_nowhere(shell: Shell) -> None:
    made = shell.run("token", "create", "ann", "--scope", "operate", "--expires", "90d", "--by", "root")
    assert made.status == 0
    assert SECRET.fullmatch(made.out)
    assert made.out.strip() not in made.err
    assert re.search(r"ann: scope operate, until 20\d\d-\d\d-\d\d \d\d:\d\d CES?T\.", made.err)
    assert made.out.strip().encode() not in (shell.folder / "relay.db").read_bytes()
    [found] = shell.run("token", "list", "--json").json
    assert (found["name"], found["scope"], found["created_by"], found["state"]) == (
        "ann", "operate", "root", "valid",
    )  # fmt: skip
    assert "hash" not in found
    assert "ann" in shell.run("token", "list").out
    assert "create-token" in shell.run("journal").out


def test_revoking(shell: Shell) -> None:
    for name in ("ann", "bob"):
        shell.run("token", "create", name, "--scope", "read")
    assert shell.run("token", "revoke", "ann").out.startswith("ann (tok_")
    assert names(shell) == {"bob": "valid"}
    assert names(shell, "--all") == {"bob": "valid", "ann": "revoked"}
    again = shell.run("token", "revoke", "ann")
    assert (again.status, "there is no token ann" in again.err) == (Exit.NOT_FOUND, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ann", "--scope", "read"], "there is a token ann already"),
        ([" x", "--scope", "read"], "the token's name must be 1 to 64 letters"),
        (["local", "--scope", "read"], "the token's name must not be local"),
        (["bob", "--scope", "all"], "'all' is not one of 'read', 'operate', 'admin'"),
        (["bob"], "Missing option '--scope'"),
        (["bob", "--scope", "read", "--expires", "90"], "--expires: must be a duration with its unit"),
        (["bob", "--scope", "read", "--expires", "0s"], "--expires: must be longer than 0s"),
    ],
)
def test_what_cannot_be_meant(shell: Shell, words: list[str], told: str) -> None:
    shell.run("token", "create", "ann", "--scope", "read")
    ended = shell.run("token", "create", *words)
    assert (ended.status, ended.out) == (Exit.USAGE, "")
    assert told in " ".join(ended.err.replace("│", " ").split())


def test_without_a_store_nothing_is_listed(shell: Shell) -> None:
    ended = shell.run("token", "list")
    assert (ended.status, "there is no store" in ended.err) == (Exit.NOT_FOUND, True)


def test_others_are_not_listened_to_until_somebody_can_log_in(shell: Shell) -> None:
    shell.write({"server": {"listen": "0.0.0.0:0"}})
    ended = shell.run("run")
    assert ended.status == Exit.CONFIG
    assert "server.listen: 0.0.0.0:0 can be reached from elsewhere, and nobody can log in there" in ended.err
    assert "msr-relay token create" in ended.err


def test_a_running_relay_follows_at_once(shell: Shell, tmp_path: Path) -> None:
    relay = Relay(tmp_path, {})
    relay.start()
    try:
        url = f"http://127.0.0.1:{relay.port}/api/v1/silences"

        def status(secret: str = "") -> int:
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            try:
                with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code

        assert status() == 200
        secret = shell.run("token", "create", "ann", "--scope", "read").out.strip()
        assert (status(secret), status()) == (200, 401)
        shell.run("token", "revoke", "ann")
        assert (status(secret), status()) == (401, 401)
        logged = (tmp_path / "relay.log").read_text()
    finally:
        relay.stop()
    assert secret not in logged
    with sqlite3.connect(relay.store) as store:
        kept = json.dumps([*store.execute("SELECT * FROM tokens"), *store.execute("SELECT * FROM journal")])
    assert secret not in kept
