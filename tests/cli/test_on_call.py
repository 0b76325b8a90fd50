"""Silences, acknowledgements, and what the listings and `explain` say about them."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.model.alert import AlertState
from relay.model.delivery import DeliveryState, Reason
from relay.model.errors import Exit
from relay.model.event import Status
from relay.model.plan import Plan
from relay.store import Store
from tests.cli.conftest import Ended, Shell
from tests.store.things import alert, delivery, event

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
ISSUE, PING, OVER = "alr_" + "a" * 32, "alr_" + "b" * 32, "alr_" + "c" * 32
LONE = "evt_" + "d" * 32
NARROW = {"COLUMNS": "80"}

SETTINGS = {
    "timezone": "Europe/Berlin",
    "clusters": [{"name": "prod", "url": "https://msr.example.com", "username": "u", "password": "p"}],
    "channels": [{"name": "soc", "kind": "console"}, {"name": "ops", "kind": "console"}],
    "rules": [
        {
            "name": "all",
            "channels": ["soc"],
            "repeat": "4h",
            "escalate": {"after": "15m", "channels": "ops"},
        }
    ],
    "inhibit": [{"source": {"type": "ping.failing"}, "target": {"type": "replica.*"}}],
}


@pytest.fixture
def shell(shell: Shell) -> Shell:
    """A store with two open alerts, one that has ended, a one-off event, and deliveries of several states."""
    shell.write(SETTINGS)
    firing = event(
        "evt_" + "a" * 32, alert=ISSUE, status=Status.FIRING, type="cluster.issue", summary="An issue"
    )
    issue = alert(ISSUE, starts_at=NOW - HOUR, labels={"team": "db"}, details={"issue_id": "1d9a"})
    ping = alert(PING, type="ping.failing", starts_at=NOW - 2 * HOUR, summary="A replica \x1b[2J is ill")
    over = alert(OVER, AlertState.RESOLVED, starts_at=NOW - 3 * HOUR, ends_at=NOW - HOUR)
    lone = event(LONE)
    told = delivery("dlv_" + "1" * 32, firing.id, thread=ISSUE, created_at=NOW, due_at=NOW)
    rows = (
        replace(told, state=DeliveryState.DELIVERED, finished_at=NOW),
        replace(told, id="dlv_" + "2" * 32, channel="ops", reason=Reason.ESCALATION, due_at=NOW + 240 * HOUR),
        replace(told, id="dlv_" + "3" * 32, reason=Reason.REPEAT, due_at=NOW + 480 * HOUR),
        delivery(
            "dlv_" + "4" * 32,
            lone.id,
            state=DeliveryState.GROUPED,
            finished_at=NOW,
            merged_into="dlv_" + "5" * 32,
            thread="grp_1",
        ),
        delivery(
            "dlv_" + "5" * 32, lone.id, reason=Reason.GROUP, part=1, parts=2, more=3, group={"type": "x"}
        ),
    )
    plan = Plan(at=NOW, events=(firing, lone), alerts=(issue, ping, over), deliveries=rows)

    async def fill() -> None:
        store = Store(f"sqlite:///{shell.folder / 'relay.db'}")
        await store.commit(plan)
        store.close()

    asyncio.run(fill())
    return shell


def silence(shell: Shell, *words: str) -> Ended:
    return shell.run("silences", "add", "--comment", "patching", "--by", "alice", *words)


def fits(ended: Ended) -> bool:
    """Whether it fits into a terminal of 80 columns, and writes nothing to it but text."""
    return "\x1b" not in ended.out and all(len(line) <= 80 for line in ended.out.splitlines())


def test_a_silence_is_made_listed_shown_and_ended(shell: Shell) -> None:
    assert "--all" in shell.run("silences").out
    made = silence(shell, "--type", "cluster.*", "--cluster", "prod", "--for", "2h", "--json").json
    assert (made["match"], made["author"], made["alerts"]) == (
        {"type": ["cluster.*"], "cluster": ["prod"]},
        "alice",
        [ISSUE],
    )
    (listed,) = shell.run("silences", "--json").json
    assert (listed["id"], listed["state"], listed["alerts"]) == (made["id"], "holds", [ISSUE])
    plain = shell.run("silences", env=NARROW)
    assert fits(plain)
    assert "type: cluster.*" in plain.out
    assert "alice: patching" in plain.out
    (issue, ping) = shell.run("alerts", "--json").json
    assert (issue["silenced_by"], ping["silenced_by"]) == (made["id"], None)
    assert f"silenced by {made['id'][:12]}: patching" in shell.run("alerts").out
    assert "patching" in shell.run("silences", "show", made["id"][:12]).out
    ended = shell.run("silences", "expire", made["id"][:12], "--by", "bob")
    assert ended.status == 0, ended
    assert shell.run("silences", "--json").json == []
    (kept,) = shell.run("silences", "--all", "--json").json
    assert (kept["state"], kept["alerts"]) == ("ended", [])
    assert shell.run("silences", "show", made["id"], "--json").json["state"] == "ended"
    again = shell.run("silences", "expire", made["id"])
    assert again.status == Exit.NOT_FOUND
    assert "msr-relay silences lists them" in again.err
    assert [(each["who"], each["action"]) for each in shell.run("journal", "--json").json] == [
        ("bob", "expire"),
        ("alice", "silence"),
    ]


def test_a_trial_makes_none(shell: Shell) -> None:
    tried = silence(shell, "--severity", ">= warning", "--for", "2h", "--dry-run", "--json").json
    assert (tried["dry_run"], tried["id"], tried["alerts"]) == (True, None, [ISSUE, PING])
    plain = silence(shell, "--type", "ping.*", "--for", "2h", "--dry-run")
    assert "This silence would hold until" in plain.out
    assert "\x1b" not in plain.out
    assert shell.run("silences", "--all", "--json").json == []


def test_times_are_those_of_the_configured_zone_and_a_silence_may_recur(shell: Shell) -> None:
    words = ("--type", "trust.*", "--label", "team=db", "--label", "team=ci", "--weekdays", "sat,sun")
    year = NOW.year + 1
    span = ("--from", f"{year}-01-10 18:00", "--until", f"{year}-03-10T18:00:00Z")
    made = silence(shell, *words, *span, "--times", "02:00-04:00", "--json").json
    assert (made["starts_at"], made["ends_at"]) == (f"{year}-01-10T17:00:00Z", f"{year}-03-10T18:00:00Z")
    assert made["match"]["labels"] == {"team": ["db", "ci"]}
    assert made["intervals"] == [
        {"weekdays": ["sat", "sun"], "times": ["02:00-04:00"], "zone": "Europe/Berlin"}
    ]
    assert shell.run("silences", "--json").json[0]["state"] == "ahead"
    assert "weekdays: sat or sun" in shell.run("silences").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--for", "2h"), "has to match something"),
        (
            ("--type", "trust.delete", "--for", "2h"),
            "--type: there is no event type trust.delete; did you mean",
        ),
        (("--severity", "worse", "--for", "2h"), "--severity: unknown severity worse"),
        (("--label", "team", "--for", "2h"), "--label: 'team' is no NAME=GLOB"),
        (("--type", "*"), "--for 2h, or --until"),
        (("--type", "*", "--for", "2h", "--until", "2030-01-01"), "either --for or --until"),
        (("--type", "*", "--until", "2020-01-01"), "must be in the future"),
        (("--type", "*", "--for", "900d"), "a year at the most"),
        (("--type", "*", "--for", "2h", "--zone", "UTC"), "--zone is that of"),
        (("--type", "*", "--for", "2h", "--comment", " "), "--comment: say what for"),
        (("--type", "*", "--for", "2h", "--by", "x" * 201), "by: "),
    ],
)
def test_what_cannot_be_meant_is_refused(shell: Shell, words: tuple[str, ...], said: str) -> None:
    ended = silence(shell, *words)
    assert ended.status == Exit.USAGE, ended
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


def test_the_comment_is_required(shell: Shell) -> None:
    ended = shell.run("silences", "add", "--type", "*", "--for", "2h")
    assert ended.status == Exit.USAGE
    assert "--comment" in ended.err


def test_a_silence_that_matches_nothing_is_told(shell: Shell) -> None:
    ended = silence(shell, "--cluster", "prdo", "--for", "2h", "--json")
    assert ended.status == 0
    assert "warning: --cluster: this silence matches nothing: there is no such cluster" in ended.err
    assert "did you mean prod?" in ended.err
    assert ended.json["id"].startswith("sil_")


def test_an_alert_is_acknowledged_and_no_longer(shell: Shell) -> None:
    taken = shell.run("ack", ISSUE[:8], "--note", "on it", "--for", "4h", "--by", "carol", "--json")
    assert taken.status == 0, taken
    assert (taken.json["about"], taken.json["by"], taken.json["via"]) == (ISSUE, "carol", "cli")
    (issue, _) = shell.run("alerts", "--json").json
    assert (issue["acknowledged"]["note"], issue["acknowledged"]["until"]) == ("on it", taken.json["until"])
    plain = shell.run("alerts", env=NARROW)
    assert fits(plain)
    assert "acknowledged by carol" in plain.out
    assert shell.run("unack", ISSUE, "--by", "dave").status == 0
    assert shell.run("alerts", "--json").json[0]["acknowledged"] is None
    assert "for good" in shell.run("ack", LONE).out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("ack", OVER), Exit.USAGE, "that ended at"),
        (("unack", OVER), Exit.USAGE, "that ended at"),
        (("ack", "alr_f"), Exit.NOT_FOUND, "msr-relay alerts lists"),
        (("ack", "alr_"), Exit.FAILED, "give more of the id"),
        (("ack", ISSUE, "--until", "2020-01-01"), Exit.USAGE, "must be in the future"),
        (("ack", ISSUE, "--for", "4"), Exit.USAGE, "write a unit"),
        (("alerts", "show", "alr_f"), Exit.NOT_FOUND, "msr-relay alerts --all"),
        (("alerts", "show", "alr_"), Exit.FAILED, "give more of the id"),
        (("silences", "show", "sil_f"), Exit.NOT_FOUND, "msr-relay silences --all"),
        (("explain",), Exit.USAGE, "--event or --delivery"),
        (("explain", "--delivery", "x"), Exit.NOT_FOUND, "those begin with dlv_"),
        (("explain", "--event", "relay.test", "--at", "soon"), Exit.USAGE, "--at: 'soon' is no time"),
    ],
)
def test_errors_tell_the_next_step(shell: Shell, words: tuple[str, ...], status: Exit, said: str) -> None:
    ended = shell.run(*words)
    assert ended.status == status, ended
    assert said in ended.err
    assert ended.out == ""


def test_everything_about_one_alert(shell: Shell) -> None:
    shell.run("ack", ISSUE, "--note", "on it", "--by", "carol")
    silence(shell, "--type", "cluster.issue", "--for", "2h")
    found = shell.run("alerts", "show", ISSUE[:8], "--json").json
    assert [(each["channel"], each["reason"], each["state"]) for each in found["deliveries"]] == [
        ("soc", "new", "delivered"),
        ("ops", "escalation", "pending"),
        ("soc", "repeat", "pending"),
    ]
    assert [each["due_at"] is None for each in found["deliveries"]] == [True, False, False]
    plain = shell.run("alerts", "show", "evt_" + "a" * 32, env=NARROW)
    assert fits(plain)
    for said in ("team=db", "1d9a", "by carol at", "alice: patching", "escalation", "in 9d", "in 19d"):
        assert said in plain.out
    over = shell.run("alerts", "show", OVER)
    assert "Nobody is told of it" in over.out


def test_deliveries_say_why_they_are_where_they_are(shell: Shell) -> None:
    (group, grouped, repeat, escalation, told) = shell.run("deliveries", "--json").json
    assert (group["reason"], group["part"], group["parts"], group["more"]) == ("group", 1, 2, 3)
    assert (group["group"], grouped["merged_into"]) == ({"type": "x"}, group["id"])
    assert [each["due_at"] is None for each in (grouped, repeat, escalation, told)] == [
        *(True, False, False, True)
    ]
    plain = shell.run("deliveries", env=NARROW)
    assert fits(plain)
    assert "(part 1/2)" in plain.out
    assert "told by dlv_55555555" in plain.out
    assert [each["state"] for each in shell.run("deliveries", "--state", "grouped", "--json").json] == [
        "grouped"
    ]
    shown = shell.run("deliveries", "show", escalation["id"]).out
    assert "reason       escalation" in shown
    assert "(in 9d)" in shown
    explained = shell.run("explain", "--delivery", escalation["id"], "--json").json
    assert "then it goes out, unless it is over or acknowledged" in explained["because"][0]
    assert explained["because"][-1] == "No relay seems to run on this store."


def test_explain_tells_times_silences_and_what_covers(shell: Shell) -> None:
    silence(shell, "--type", "replica.*", "--for", "2h")
    found = shell.run("explain", "--event", "replica.unhealthy", "--json").json
    first, second = found["routes"]
    assert (first["channel"], first["repeat_seconds"], first["digest_after_seconds"]) == ("soc", 14400, 900)
    assert (second["channel"], second["reason"]) == ("ops", "escalation")
    assert first["held_back"]["state"] == "silenced"
    assert [each["state"] for each in found["silences"]] == ["holds"]
    assert [each["alerts"] for each in found["inhibitions"]] == [[], [PING]]
    year = NOW.year + 2
    later = shell.run("explain", "-e", "replica.unhealthy", "--at", f"{year}-01-01 00:00", "--json").json
    assert later["silences"] == []
    assert later["routes"][0]["held_back"]["state"] == "inhibited"
    plain = shell.run("explain", "--event", "replica.unhealthy", env=NARROW)
    assert fits(plain)
    assert "told again every 4h" in plain.out
    assert f"and now does {PING}" in plain.out


def test_a_silence_that_recurs_may_pause(shell: Shell) -> None:
    """It holds on no day but the one two days from now, in every zone."""
    day = f"{NOW + 48 * HOUR:%A}".lower()
    made = silence(shell, "--type", "cluster.*", "--for", "90d", "--weekdays", day, "--json").json
    (listed,) = shell.run("silences", "--json").json
    assert (listed["id"], listed["state"], listed["alerts"]) == (made["id"], "paused", [])
    assert "not now" in shell.run("silences", env=NARROW).out
    at = f"{NOW + 48 * HOUR:%Y-%m-%d} 12:00"
    then = shell.run("explain", "--event", "cluster.issue", "--at", at, "--json").json
    assert [each["state"] for each in then["silences"]] == ["holds"]
    assert then["routes"][0]["held_back"]["state"] == "silenced"
    wrong = silence(shell, "--type", "*", "--for", "2h", "--weekdays", "someday")
    assert wrong.status == Exit.USAGE
    assert "must be a weekday" in wrong.err


def test_explain_tells_the_times_of_rules(shell: Shell) -> None:
    quiet = {"name": "all", "channels": ["soc"], "mute_during": ["night"]}
    shell.write(
        {**SETTINGS, "rules": [quiet], "time_intervals": {"night": {"times": "22:00-06:00", "zone": "UTC"}}}
    )
    year = NOW.year + 1
    words = ("explain", "--event", "trust.deleted", "--at")
    (night,) = shell.run(*words, f"{year}-01-10T23:30:00Z", "--json").json["routes"]
    assert (night["muted_until"], night["held_back"]["state"]) == (f"{year}-01-11T06:00:00Z", "muted")
    (day,) = shell.run(*words, f"{year}-01-10T12:00:00Z", "--json").json["routes"]
    assert (day["muted_until"], day["held_back"]) == (None, None)
    assert "muted during night: not muted now" in shell.run(*words, f"{year}-01-10T12:00:00Z").out


def test_explain_needs_no_store(shell: Shell) -> None:
    (shell.folder / "relay.db").unlink()
    found = shell.run("explain", "--event", "trust.deleted", "--json").json
    assert found["store_read"] is False
    assert [_known(each) for each in found["routes"]] == [("soc", 0, None), ("ops", 900, None)]
    assert "There is no store yet" in shell.run("explain", "--event", "trust.deleted").out
    assert not (shell.folder / "relay.db").exists()


def _known(route: dict[str, Any]) -> tuple[Any, ...]:
    return route["channel"], route["after_seconds"], route["held_back"]
