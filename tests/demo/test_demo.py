"""The demonstration as a newcomer starts it: what it shows, what it counts, and that it leaves nothing."""

import json
import os
import signal

import pytest

from tests.demo.conftest import Play

FAST = ("--pace", "100")
TOLD = [
    ("trust.updated", "event", {"terminal", "soc"}),
    ("trust.updated", "event", {"terminal", "soc"}),
    ("cluster.issue", "firing", {"terminal", "soc", "oncall"}),
    ("ping.failing", "firing", {"terminal", "soc"}),
    ("replica.unhealthy", "firing", {"terminal", "soc"}),
    ("quorum.at_risk", "firing", {"terminal", "soc"}),
    ("trust.deleted", "event", {"terminal", "soc", "oncall"}),
    ("trust.deleted", "event", {"terminal", "soc", "oncall"}),
    ("ping.failing", "resolved", {"terminal", "soc"}),
    ("replica.unhealthy", "resolved", {"terminal", "soc"}),
    ("quorum.at_risk", "resolved", {"terminal", "soc"}),
    ("cluster.issue", "resolved", {"terminal", "soc", "oncall"}),
]


def test_everybody_is_told_everything_once_also_while_another_demonstration_runs(play: Play) -> None:
    both = play(*FAST, "--json"), play(*FAST, "--json")
    for playing in both:
        assert (playing.end(), playing.errors) == (0, "")
        summary = json.loads(playing.output)
        told = [each for scene in summary["happened"] for each in scene["told"]]
        assert [(each["type"], each["status"], set(each["after_ms"])) for each in told] == TOLD
        assert all(0 < ms < 20_000 for each in told for ms in each["after_ms"].values())
        assert summary["messages"] == {"terminal": 12, "soc": 12, "oncall": 4}
        assert summary["verified"] == {"soc": 12, "oncall": 4}
        assert [summary[key] for key in ("lost", "doubled", "unexpected", "unverified")] == [[], [], [], []]
        assert summary["ok"] is True
        assert playing.left == []


def test_without_a_terminal_it_is_plain_and_fits_into_80_columns(play: Play) -> None:
    playing = play(*FAST)
    assert (playing.end(), playing.errors) == (0, "")
    assert "\x1b" not in playing.output
    assert [line for line in playing.lines if len(line) > 80] == []
    for text in (
        "MSR: somebody deletes the trust data of shop/web and shop/api.",
        "A real MSR shows a record after 60",
        "critical trust.deleted [demo] Trust data of shop/web was",
        "error quorum.at_risk [demo] One more lost replica",
        "POST trust.deleted event shop/web · signature verified",
        "mail [demo] CRITICAL: Trust data of shop/web was deleted",
        "in the thread of the first mail",
        "✔ Nothing lost",
        "✔ Nothing told twice.",
        "✔ Nothing told that did not happen.",
        "✔ 12 of 12 webhook signatures",
        "msr-relay init",
    ):
        assert text in playing.output
    assert playing.left == []


@pytest.mark.parametrize(
    "moment", ["Ctrl-C stops it", "Configured by", "signature verified", "storage fails"]
)
def test_ctrl_c_ends_it_at_once_and_leaves_nothing(play: Play, moment: str) -> None:
    playing = play("--pace", "5")
    playing.until(moment)
    playing.interrupt()
    assert playing.end(10) == 130
    assert playing.errors == ""
    assert playing.lines[-1] == "Stopped; nothing is left behind."
    assert playing.left == []
    with pytest.raises(ProcessLookupError):
        os.killpg(playing.process.pid, 0)


def test_sigterm_ends_it_too(play: Play) -> None:
    playing = play("--pace", "5")
    playing.until("signature verified")
    playing.process.send_signal(signal.SIGTERM)
    assert (playing.end(10), playing.errors, playing.left) == (130, "", [])


def test_kept_it_goes_on_until_ctrl_c_which_is_then_its_regular_end(play: Play) -> None:
    playing = play(*FAST, "--keep")
    playing.until("or in a browser: http://127.0.0.1:")
    assert playing.left != []
    playing.interrupt()
    assert (playing.end(10), playing.errors, playing.left) == (0, "", [])


def test_its_log_is_shown_when_asked_for(play: Play) -> None:
    playing = play("--verbose")
    playing.until("signature verified")
    playing.interrupt()
    assert playing.end(10) == 130
    assert '"event": "running"' in playing.errors
