"""`check`: everything that is wrong, with its place; what would run; and who may read what."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from relay.demo.imitation import User
from relay.model.errors import Exit
from tests.acceptance.imitated import PASSWORD, Cluster
from tests.cli.conftest import Shell
from tests.real.forked import environment
from tests.real.loops import free_port

MakeCluster = Callable[..., Cluster]

GOOD = {
    "clusters": [
        {
            "name": "prod",
            "replicas": ["https://msr-1.example.com"],
            "username": "relay",
            "password": "secret-password",
            "watch": {"ping": "7s", "nginx_status": "off"},
        }
    ],
    "channels": [{"name": "screen", "kind": "console"}],
    "rules": [{"name": "all", "channels": ["screen"]}],
}


def test_what_would_run(shell: Shell) -> None:
    shell.write(GOOD)
    ended = shell.run("check", "--json")
    assert ended.status == 0, ended
    assert ended.json["ok"] is True
    assert ended.json["warnings"] == []
    assert ended.json["clusters"][0]["watchers"] == {
        "ping": "7s",
        "cluster_status": "15s",
        "changefeed": "15s",
        "trust": "5s",
    }
    assert ended.json["channels"] == [{"name": "screen", "kind": "console"}]
    assert ended.json["rules"] == [{"name": "all", "channels": ["screen"]}]
    plain = shell.run("check")
    assert "prod: 1 replicas; ping 7s, cluster_status 15s, changefeed 15s" in plain.out
    assert "secret-password" not in plain.out + plain.err + ended.out


def test_heartbeats_are_listed(shell: Shell) -> None:
    beats = [
        {"name": "hc", "url": "https://hc.example.com/secret-path"},
        {"name": "morning", "channel": "screen", "schedule": "0 8 * * *"},
    ]
    shell.write({**GOOD, "heartbeats": beats})
    plain = shell.run("check")
    assert plain.status == 0, plain
    assert "hc: pings every 1m" in plain.out
    assert "morning: 0 8 * * * → screen" in plain.out
    assert "secret-path" not in plain.out + plain.err


def test_hooks_are_listed(shell: Shell) -> None:
    hook = {"name": "alerts", "kind": "alertmanager", "cluster": "prod", "secret": "0123456789abcdef"}
    shell.write({**GOOD, "hooks": [hook]})
    plain = shell.run("check")
    assert plain.status == 0, plain
    assert "/hooks/alerts (alertmanager) tells of prod" in plain.out
    assert "0123456789abcdef" not in plain.out + plain.err


def test_all_errors_at_once_with_their_places(shell: Shell) -> None:
    shell.write("chanels: []\nclusters:\n  - {name: a, url: htps://x}\n")
    ended = shell.run("check")
    assert ended.status == Exit.CONFIG
    assert "relay.yaml:1:1: chanels" in ended.out
    assert "relay.yaml:3:20: clusters[a].url" in ended.out
    assert 'did you mean "channels"?' in ended.out
    found = shell.run("check", "--json")
    assert found.status == Exit.CONFIG
    assert [each["where"] for each in found.json["errors"]] == ["relay.yaml:3:20", "relay.yaml:1:1"]


def test_warnings_fail_only_where_that_is_wanted(shell: Shell) -> None:
    shell.write({**GOOD, "rules": [{"name": "no", "match": {"cluster": "lab"}, "channels": ["screen"]}]})
    lenient, strict = shell.run("check"), shell.run("check", "--strict")
    assert (lenient.status, strict.status) == (0, Exit.FAILED)
    assert "this rule can never match: there is no such cluster" in lenient.out


def test_a_broken_template_is_told_with_its_line(shell: Shell) -> None:
    own = shell.folder / "own" / "slack"
    own.mkdir(parents=True)
    (own / "trust.deleted.json.j2").write_text("{}\n{{ evnt.summary }}\n")
    shell.write({**GOOD, "templates": "own"})
    ended = shell.run("check")
    assert ended.status == Exit.CONFIG
    assert "slack/trust.deleted.json.j2, line 2" in ended.out


def test_a_store_that_is_none_is_told(shell: Shell) -> None:
    shell.write({**GOOD, "store": "mysql://x/y"})
    ended = shell.run("check", "--json")
    assert ended.status == Exit.CONFIG
    assert ended.json["errors"][0]["key"] == "store"


def test_colour_is_for_terminals_only(shell: Shell) -> None:
    shell.write("chanels: []\n")
    assert "\x1b" not in shell.run("check").out
    assert "\x1b" not in shell.run("check", env={"FORCE_COLOR": "1"}).out


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_is_honoured_on_a_terminal(shell: Shell, no_color: str, coloured: bool) -> None:
    shell.write("chanels: []\n")
    ours, theirs = os.openpty()
    env = environment({"TERM": "xterm-256color", "NO_COLOR": no_color})
    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "check"], cwd=shell.folder, env=env, stdout=theirs
    )
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:
        # What Linux says when the other end of a terminal has gone.
        pass
    os.close(ours)
    assert process.wait(30) == Exit.CONFIG
    assert (b"31m" in seen) is coloured


def test_live_says_who_may_read_what(shell: Shell, make_cluster: MakeCluster) -> None:
    cluster = make_cluster("f2277ad178f7", "a11111111111")
    shell.write({**GOOD, "clusters": [cluster.settings()]})
    ended = shell.run("check", "--live", "--json")
    assert ended.status == 0, ended
    assert [each["what"] for each in ended.json["live"]] == [
        *("ping", "nginx_status", "cluster_status") * 2,
        "changefeed",
    ]
    assert all(each["ok"] for each in ended.json["live"])


def test_live_names_what_a_user_may_not_read(shell: Shell, make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.do(lambda imitation: imitation._users.update(low=User("low", PASSWORD)))
    watch = {"changefeed": "15s"}
    shell.write({**GOOD, "clusters": [{**cluster.settings(watch=watch), "username": "low"}]})
    ended = shell.run("check", "--live", "--json")
    assert ended.status == Exit.FAILED, ended
    looks = {each["what"]: each for each in ended.json["live"]}
    assert looks["ping"]["ok"]
    assert not looks["changefeed"]["ok"]
    assert "needs an administrator" in looks["changefeed"]["said"]
    # It is off, so that it does not count.
    assert looks["cluster_status"]["watched"] is False


def test_a_wrong_password_is_sent_once(shell: Shell, make_cluster: MakeCluster) -> None:
    cluster = make_cluster("f2277ad178f7", "a11111111111")
    settings = cluster.settings(watch={"changefeed": "15s", "cluster_status": "15s"})
    shell.write({**GOOD, "clusters": [{**settings, "password": "wrong"}]})
    ended = shell.run("check", "--live")
    assert ended.status == Exit.FAILED
    asked = [each for each in cluster.requests.items if "cluster_status" in each or "token" in each]
    assert len(asked) == 1
    assert "wrong" not in ended.out


def test_live_tells_a_cluster_that_does_not_answer(shell: Shell) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    shell.write({**GOOD, "clusters": [{"name": "gone", "url": url, "username": "a", "password": "b"}]})
    ended = shell.run("check", "--live")
    assert ended.status == Exit.UNREACHABLE, ended
    assert "gone, asked as a" in ended.out
