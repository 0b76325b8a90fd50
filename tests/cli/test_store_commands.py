"""What looks into the store or changes it, with and without a relay that runs."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from relay.model.delivery import Attempt, DeliveryState, Outcome
from relay.model.errors import Exit
from relay.model.plan import Plan
from relay.store import Settlement, Store
from tests.acceptance.relay import Relay, until
from tests.cli.conftest import Shell
from tests.real.forked import environment
from tests.real.webhooks import Answer, Receiver
from tests.store.things import NOW, alert, delivery, event

SETTINGS = {"channels": [{"name": "soc", "kind": "console"}, {"name": "ops", "kind": "console"}]}
DEAD, FRESH = "dlv_" + "a" * 32, "dlv_" + "a" * 10 + "b" * 22


@pytest.fixture
def filled(shell: Shell) -> Shell:
    """A store with a dead delivery, a fresh one, an alert and an event that nobody was told of."""
    shell.write(SETTINGS)
    told, lone = event("evt_1"), event("evt_2", type="trust.updated", summary="nobody\x1b[2J cares")
    plan = Plan(
        events=(told, lone),
        alerts=(alert("alr_1", flapping=True),),
        deliveries=(delivery(DEAD, "evt_1"), delivery(FRESH, "evt_1", channel="ops")),
        unrouted=frozenset({"evt_2"}),
    )

    async def fill() -> None:
        store = Store(f"sqlite:///{shell.folder / 'relay.db'}")
        try:
            await store.commit(plan)
            found = next(each for each in await store.find_deliveries(DEAD))
            attempt = Attempt(
                DEAD, 1, NOW, 0.5, Outcome.REJECTED, 400, "no \x1b[31m thanks", "said so", body="{}"
            )
            dead = replace(
                found, state=DeliveryState.DEAD, attempts=1, last_error=attempt.error, finished_at=NOW
            )
            await store.settle(Settlement(dead, attempt))
        finally:
            store.close()

    asyncio.run(fill())
    return shell


def test_deliveries_are_listed_and_filtered(filled: Shell) -> None:
    everything = filled.run("deliveries", "--json").json
    assert [each["id"] for each in everything] == [FRESH, DEAD]
    assert set(everything[0]) == {
        *("id", "created_at", "due_at", "channel", "rule", "state", "attempts"),
        *("tells", "events", "replay_of", "last_error", "finished_at", "reason", "note", "merged_into"),
        *("group", "part", "parts", "more"),
    }
    assert [each["id"] for each in filled.run("deliveries", "--state", "dead", "--json").json] == [DEAD]
    assert [each["id"] for each in filled.run("deliveries", "--channel", "ops", "--json").json] == [FRESH]
    assert len(filled.run("deliveries", "--limit", "1", "--json").json) == 1


def test_the_ids_that_are_listed_are_enough_to_find_them(filled: Shell) -> None:
    plain = filled.run("deliveries").out
    shown = [line.split()[0] for line in plain.splitlines() if line.startswith("dlv_")]
    assert len(set(shown)) == 2
    assert all(len(each) < 20 for each in shown)
    assert [filled.run("deliveries", "show", each, "--json").json["id"] for each in shown] == [FRESH, DEAD]
    assert filled.run("deliveries", "show", "dlv_aaaaaaaaaa").status == Exit.FAILED
    assert filled.run("deliveries", "show", "dlv_ffff").status == Exit.NOT_FOUND


def test_a_delivery_is_shown_with_its_attempts(filled: Shell) -> None:
    ended = filled.run("deliveries", "show", DEAD, "--body")
    assert "rejected (status 400)" in ended.out
    assert "answer: said so" in ended.out
    assert "    {}" in ended.out
    assert "\x1b" not in ended.out
    tries = filled.run("deliveries", "show", DEAD, "--json").json["tries"]
    assert [(each["outcome"], each["status"], each["seconds"]) for each in tries] == [("rejected", 400, 0.5)]
    assert "body" not in tries[0]


def test_alerts_and_events(filled: Shell) -> None:
    assert [each["id"] for each in filled.run("alerts", "--json").json] == ["alr_1"]
    assert "An issue → flapping" in " ".join(filled.run("alerts").out.split())
    assert [each["flapping"] for each in filled.run("alerts", "--json").json] == [True]
    assert filled.run("alerts", "--cluster", "lab", "--json").json == []
    found = filled.run("events", "--json").json
    assert found["unrouted"] == 1
    assert [(each["id"], each["routed"]) for each in found["events"]] == [("evt_2", False), ("evt_1", True)]
    assert len(filled.run("events", "--unrouted", "--json").json["events"]) == 1
    plain = filled.run("events")
    assert "1 in all went to no channel" in plain.out
    assert "\x1b" not in plain.out
    assert filled.run("events", "--type", "trust.delete").status == Exit.NOT_FOUND


def test_replay_without_a_relay(filled: Shell) -> None:
    made = filled.run("deliveries", "replay", "--dead", "--channel", "soc", "--by", "alice", "--json").json
    assert len(made) == 1
    copy = filled.run("deliveries", "show", made[0], "--json").json
    assert (copy["replay_of"], copy["state"]) == (DEAD, "pending")
    again = filled.run("deliveries", "replay", "--dead", "--channel", "soc")
    assert again.status == 0
    assert "Nothing to replay" in again.out
    (deed,) = filled.run("journal", "--json").json
    assert (deed["who"], deed["action"], deed["subject"]) == ("alice", "replay", DEAD)


@pytest.mark.parametrize(
    "words", [(), (DEAD, "--dead", "--channel", "soc"), ("--dead",), ("--channel", "soc")]
)
def test_replay_wants_ids_or_all_the_dead_of_a_channel(filled: Shell, words: tuple[str, ...]) -> None:
    assert filled.run("deliveries", "replay", *words).status == Exit.USAGE


def test_channels_are_switched_without_a_relay(filled: Shell) -> None:
    assert filled.run("channels", "disable", "ops", "--reason", "moving", "--by", "bob").status == 0
    found = {each["channel"]: each for each in filled.run("channels", "--json").json}
    assert (found["ops"]["state"], found["ops"]["reason"], found["ops"]["by"]) == (
        "disabled",
        "moving",
        "bob",
    )
    assert (found["ops"]["waiting"], found["soc"]["dead"]) == (1, 1)
    assert filled.run("channels", "enable", "ops").status == 0
    found = {each["channel"]: each for each in filled.run("channels", "show", "--json").json}
    assert found["ops"]["state"] == "working"
    wrong = filled.run("channels", "enable", "op")
    assert wrong.status == Exit.NOT_FOUND
    assert "did you mean ops?" in wrong.err


@pytest.mark.parametrize(
    "words",
    [
        ("deliveries",),
        ("deliveries", "show", "dlv_1"),
        ("deliveries", "replay", "dlv_1"),
        ("alerts",),
        ("alerts", "show", "alr_1"),
        ("ack", "alr_1"),
        ("silences",),
        ("silences", "add", "--type", "*", "--for", "1h", "--comment", "x"),
        ("silences", "expire", "sil_1"),
        ("explain", "--delivery", "dlv_1"),
        ("events",),
        ("channels",),
        ("journal",),
    ],
)
def test_a_store_that_there_is_not_is_not_made(shell: Shell, words: tuple[str, ...]) -> None:
    shell.write(SETTINGS)
    ended = shell.run(*words)
    assert ended.status == Exit.NOT_FOUND
    assert "there is no store" in ended.err
    assert [path.name for path in shell.folder.iterdir()] == ["relay.yaml"]


@pytest.mark.parametrize(
    "words", [("deliveries",), ("deliveries", "--json"), ("events", "--json"), ("--help",)]
)
def test_a_closed_pipe_is_no_error(filled: Shell, words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "relay", *words],
        cwd=filled.folder,
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr
    if words != ("--help",):
        assert ended.returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        "alerts",
        "alerts show alr_1 --json",
        "channels --json",
        "channels disable ops --by bob",
        "check --json",
        "deliveries --json",
        "events",
        "explain --event trust.deleted",
        "explain --delivery dlv_ffff",
        "init --force",
        "journal --json",
        "render slack/trust.deleted",
        "schema",
        "send-test nobody",
        "silences --json",
        "unack alr_1",
        "no-such-command",
    ],
)
def test_a_fresh_interpreter_does_the_same(filled: Shell, words: str) -> None:
    """Most tests run commands in processes that are forked off one that has imported everything."""
    forked, fresh = filled.run(*words.split()), filled.run_fresh(*words.split())
    assert fresh == forked


@pytest.fixture
def relay(tmp_path: Path, webhooks: Receiver) -> Iterator[Relay]:
    webhooks.default = Answer(400)
    hook = {"name": "soc", "kind": "webhook", "url": webhooks.url, "allow_private": True}
    rule = {"name": "trust", "match": {"type": "trust.*"}, "channels": ["soc"]}
    running = Relay(tmp_path, {"channels": [hook], "rules": [rule]})
    yield running
    running.close()


def test_a_running_relay_carries_out_orders_at_once(relay: Relay, webhooks: Receiver) -> None:
    shell = Shell(relay.folder)
    relay.start()
    assert shell.run("channels", "disable", "soc", "--by", "bob").status == 0
    relay.stop()

    async def fill() -> None:
        store = Store(f"sqlite:///{relay.store}")
        await store.commit(Plan(events=(event("evt_1"),), deliveries=(delivery(FRESH, "evt_1"),)))
        store.close()

    asyncio.run(fill())
    relay.start()
    assert shell.run("deliveries", "--json").json[0]["state"] == "pending"
    assert webhooks.requests.items == []
    assert shell.run("channels", "enable", "soc", "--by", "carol").status == 0
    until(lambda: shell.run("deliveries", "--state", "dead", "--json").json, "the receiver has refused it")
    webhooks.default = Answer(200)
    (copy,) = shell.run("deliveries", "replay", "dlv_", "--json").json
    until(lambda: len(webhooks.requests.items) == 2, "it is replayed")
    assert json.loads(webhooks.requests.items[1].body)["data"]["replay_of"] == FRESH
    assert webhooks.requests.items[1].headers["webhook-id"] == copy
    assert [each["who"] for each in shell.run("journal", "--json").json][1:] == ["carol", "bob"]
    unknown = shell.run("deliveries", "replay", "dlv_ffff")
    assert unknown.status == Exit.NOT_FOUND
