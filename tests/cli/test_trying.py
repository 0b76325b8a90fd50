"""`send-test`, `render` and `explain`."""

import json

import pytest

from relay.model.catalogue import CATALOGUE
from relay.model.errors import Exit
from relay.model.samples import sample
from relay.render import Telling, payload
from tests.cli.conftest import Shell
from tests.real.webhooks import Answer, Receiver

CONSOLE = {"channels": [{"name": "screen", "kind": "console"}]}


def hook(name: str, url: str) -> dict[str, object]:
    return {"name": name, "kind": "webhook", "url": url, "allow_private": True}


def test_a_test_message_goes_out_once(shell: Shell, webhooks: Receiver) -> None:
    shell.write({"channels": [hook("soc", webhooks.url)]})
    ended = shell.run("send-test", "soc", "--by", "alice", "--json")
    assert ended.status == 0, ended
    (request,) = webhooks.requests.items
    body = json.loads(request.body)
    assert body["type"] == "relay.test"
    assert body["data"]["details"] == {"channel": "soc", "sent_by": "alice"}
    (sent,) = ended.json
    assert (sent["outcome"], sent["status"]) == ("delivered", 200)
    assert request.headers["webhook-id"] == sent["delivery"]
    assert not (shell.folder / "relay.db").exists()


def test_a_refusal_is_told_and_fails(shell: Shell, webhooks: Receiver) -> None:
    webhooks.paths["/bad"] = Answer(400, b"not \x1b[31m like this")
    url = webhooks.url.rstrip("/")
    shell.write({"channels": [hook("good", url + "/ok"), hook("bad", url + "/bad")]})
    ended = shell.run("send-test", "--all")
    assert ended.status == Exit.FAILED
    assert "good (webhook): delivered" in ended.out
    assert "bad (webhook): rejected" in ended.out
    assert "\x1b" not in ended.out
    assert len(webhooks.requests.items) == 2


def test_an_unknown_channel_is_not_found(shell: Shell) -> None:
    shell.write(CONSOLE)
    ended = shell.run("send-test", "scren")
    assert ended.status == Exit.NOT_FOUND
    assert "did you mean screen?" in ended.err


@pytest.mark.parametrize("words", [(), ("screen", "--all")])
def test_either_a_channel_or_all(shell: Shell, words: tuple[str, ...]) -> None:
    shell.write(CONSOLE)
    assert shell.run("send-test", *words).status == Exit.USAGE


def test_json_is_alone_on_standard_output(shell: Shell) -> None:
    shell.write(CONSOLE)
    ended = shell.run("send-test", "screen", "--json")
    assert ended.json[0]["outcome"] == "delivered"
    assert "Test message" in ended.err


def test_another_event_can_be_sent(shell: Shell, webhooks: Receiver) -> None:
    shell.write({"channels": [hook("soc", webhooks.url)]})
    assert shell.run("send-test", "soc", "--event", "cluster.issue", "--status", "resolved").status == 0
    assert json.loads(webhooks.requests.items[0].body)["data"]["status"] == "resolved"


def test_render_shows_every_part(shell: Shell) -> None:
    shell.write(CONSOLE)
    parts = shell.run("render", "email/trust.deleted", "--json").json["parts"]
    assert set(parts) == {"subject.txt", "txt", "html"}
    shown = shell.run("render", "trust.deleted", "--kind", "slack")
    assert '"type": "header"' in shown.out


def test_render_shows_a_group_and_a_repeat(shell: Shell) -> None:
    shell.write({**CONSOLE, "server": {"public_url": "https://relay.example.com"}})
    group = shell.run("render", "email/trust.deleted", "--group", "12", "--json").json["parts"]
    assert group["subject.txt"] == "[prod] 12 × trust.deleted"
    assert "… and 2 more: https://relay.example.com/alerts" in group["txt"]
    assert group["txt"].count("Acknowledge: ") == 10
    huge = shell.run("render", "email/trust.deleted", "--group", "1200", "--reason", "digest", "--json").json
    assert huge["parts"]["subject.txt"].startswith("[prod] Told late: 1200 messages")
    repeat = shell.run("render", "email/replica.unhealthy", "--reason", "repeat", "--json").json["parts"]
    assert repeat["subject.txt"].startswith("[prod] WARNING, still firing, 8h: ")
    escalation = shell.run("render", "console/trust.deleted", "--reason", "escalation").out
    assert "nobody has acknowledged this for 15m" in escalation


def test_render_refuses_messages_that_there_are_not(shell: Shell) -> None:
    shell.write(CONSOLE)
    for words, told in (
        (("trust.deleted", "--reason", "repeat"), "only an alert that fires is repeated"),
        (("trust.deleted", "--reason", "digest"), "say of how many (group)"),
        (("trust.deleted", "--reason", "repat"), "did you mean repeat?"),
    ):
        refused = shell.run("render", "--kind", "slack", *words)
        assert refused.status == Exit.USAGE, words
        assert told in refused.err


def test_render_tells_line_and_near_miss(shell: Shell) -> None:
    own = shell.folder / "own" / "slack"
    own.mkdir(parents=True)
    (own / "mine.json.j2").write_text("{}\n\n{{ nothing }}\n")
    shell.write({**CONSOLE, "templates": "own"})
    broken = shell.run("render", "slack/mine")
    assert broken.status == Exit.CONFIG
    assert "slack/mine.json.j2, line 3" in broken.err
    missing = shell.run("render", "slack/trust.deletd")
    assert missing.status == Exit.NOT_FOUND
    assert "did you mean trust.deleted?" in missing.err
    assert shell.run("render", "slak/trust.deleted").status == Exit.NOT_FOUND


RULES = {
    "clusters": [{"name": "lab", "url": "https://msr.example.com", "username": "u", "password": "p"}],
    "channels": [{"name": "one", "kind": "console"}, {"name": "two", "kind": "console"}],
    "rules": [
        {"name": "prod", "match": {"cluster": "prod"}, "channels": ["one"]},
        {"name": "trust", "match": {"type": "trust.*"}, "channels": ["two"], "stop": True},
        {"name": "rest", "channels": ["one"]},
    ],
}


def test_explain_says_why_not(shell: Shell) -> None:
    shell.write(RULES)
    found = shell.run("explain", "--event", "trust.deleted", "--json").json
    assert [(each["matches"], each["reached"], each["misses"]) for each in found["rules"]] == [
        (False, True, ["cluster is lab"]),
        (True, True, []),
        (False, False, []),
    ]
    assert [each["channel"] for each in found["routes"]] == ["two"]
    plain = shell.run("explain", "--event", "trust.deleted")
    assert "cluster is lab" in plain.out
    assert "It goes to two." in plain.out


def test_the_relays_own_events_go_to_the_others(shell: Shell) -> None:
    shell.write({**RULES, "channels": [{"name": "security", "kind": "console"}, *RULES["channels"]]})
    found = shell.run("explain", "--event", "channel.failing", "--json").json
    assert [each["channel"] for each in found["routes"]] == ["one", "two"]


@pytest.mark.parametrize("form", ["body", "stored"])
@pytest.mark.parametrize("type_name", ["trust.deleted", "cluster.issue", "channel.failing"])
def test_an_event_of_either_form_can_be_given(shell: Shell, form: str, type_name: str) -> None:
    event = sample(type_name, cluster="prod")
    body = json.dumps(payload(Telling((event,), "r", "c", "dlv_1"), None))
    shell.write(RULES)
    found = shell.run(
        *("explain", "--json", "--event", "-"), stdin=body if form == "body" else event.to_json()
    )
    assert found.status == 0, found
    assert found.json["note"] == ""
    assert found.json["event"]["subject"] == event.subject.name
    assert found.json["event"]["cluster"] == event.cluster


def test_what_a_file_lacks_is_filled_and_told(shell: Shell) -> None:
    shell.write(RULES)
    (shell.folder / "event.json").write_text('{"type": "trust.deleted", "data": {"cluster": "prod"}}')
    found = shell.run("explain", "--event", "event.json", "--json").json
    assert found["event"]["cluster"] == "prod"
    assert "summary" in found["note"]


@pytest.mark.parametrize(
    ("text", "said", "status"),
    [
        ("{", "is not JSON", Exit.USAGE),
        ("[]", "one JSON object", Exit.USAGE),
        ("{}", "has no type", Exit.USAGE),
        ('{"type": "trust.delete"}', "did you mean trust.deleted?", Exit.NOT_FOUND),
        ('{"type": "trust.deleted", "sevrity": "x"}', "did you mean severity?", Exit.USAGE),
        ('{"type": "trust.deleted", "severity": "x"}', "severity", Exit.USAGE),
        ('{"type": "trust.deleted", "data": {"items": []}}', "several events", Exit.USAGE),
        ('{"type": "trust.deleted", "timestamp": "2026-11-23T20:58:11", "data": {}}', "zone", Exit.USAGE),
        ('{"type": "trust.deleted", "status": "firing"}', "cannot be firing", Exit.USAGE),
    ],
)
def test_what_is_no_event_is_told(shell: Shell, text: str, said: str, status: int) -> None:
    shell.write(RULES)
    ended = shell.run("explain", "--event", "-", stdin=text)
    assert ended.status == status, ended
    assert said in ended.err


def test_the_near_miss_of_a_type(shell: Shell) -> None:
    shell.write(RULES)
    ended = shell.run("explain", "--event", "cluster.isue")
    assert ended.status == Exit.NOT_FOUND
    assert "cluster.issue" in ended.err
    assert "cluster.issue" in CATALOGUE
