"""What is wrong, or hardly meant, with escalations, repeats, groups and inhibitions."""

import pytest

from tests.settings.conftest import Reading
from tests.settings.test_checks import GOOD, errors, warnings


def told(reading: Reading, options: str, more: str = "", match: str = "{}") -> list[str]:
    rule = f"{{name: all, channels: [ops], match: {match}, {options}}}"
    text = GOOD.replace("{name: all, channels: [ops]}", rule).replace(
        "channels:\n", "channels:\n  - {name: boss, kind: console}\n"
    )
    return [each.split(": ", 1)[1] for each in warnings(reading, text + more)]


@pytest.mark.parametrize(
    ("escalate", "key"),
    [
        ("{after: 5m, channels: nobody}", "escalate.channels"),
        ("{after: 5m, channels: [ops, nobody]}", "escalate.channels[1]"),
        (
            "[{after: 5m, channels: ops}, {after: 9m, channels: [nobody]}]",
            "escalate[1].channels[0]",
        ),
    ],
)
def test_an_escalation_needs_channels_that_exist(reading: Reading, escalate: str, key: str) -> None:
    text = GOOD.replace("channels: [ops]}", f"channels: [ops], escalate: {escalate}}}")
    (found,) = errors(reading, text)
    assert found.startswith("relay.yaml:6:")
    assert found.endswith(f"rules[all].{key}: there is no channel 'nobody'")


def test_good_ones_have_no_warning(reading: Reading) -> None:
    steps = "[{after: 5m, channels: [ops, boss]}, {after: 15m, channels: boss}]"
    assert told(reading, f"escalate: {steps}, repeat: 4h, group: {{by: [cluster, type]}}") == []
    inhibit = "inhibit: [{source: {type: ping.failing}, target: {type: [replica.*, cluster.issue]}}]\n"
    assert told(reading, "after: 0s", inhibit) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("after: 5m, escalate: {after: 5m, channels: ops}", "ops is told no later than its first message"),
        (
            "escalate: [{after: 5m, channels: boss}, {after: 5m, channels: [ops, boss]}]",
            "boss is told no later than step 1",
        ),
    ],
)
def test_an_escalation_that_comes_too_soon(reading: Reading, options: str, message: str) -> None:
    assert told(reading, options) == [f"rules[all].escalate: {message} tells it"]


def test_nothing_of_one_off_events_is_repeated(reading: Reading) -> None:
    (found,) = told(reading, "repeat: 4h", match="{type: trust.up*}")
    assert found.startswith("rules[all].repeat: nothing is repeated")
    assert told(reading, "repeat: 4h", match="{type: [trust.up*, cluster.issue]}") == []


def test_a_mass_deletion_is_repeated_by_the_rule_for_deletions(reading: Reading) -> None:
    assert told(reading, "repeat: 4h", match="{type: trust.deleted}") == []


@pytest.mark.parametrize(
    ("match", "by", "message"),
    [
        ("{type: trust.*}", "[cluster, replica]", "these event types have no replica"),
        ("{type: replica.*}", "namespace", "these event types have no namespace"),
        ("{type: replica.*}", "labels.team", "no cluster has the label of labels.team"),
    ],
)
def test_a_group_by_what_there_is_not(reading: Reading, match: str, by: str, message: str) -> None:
    (found,) = told(reading, f"group: {{by: {by}}}", match=match)
    assert found == f"rules[all].group.by: {message}: it tells nothing apart"


@pytest.mark.parametrize(
    ("rule", "key", "message"),
    [
        ("{source: {cluster: lab}, target: {}}", "source.cluster", "there is no such cluster"),
        ("{source: {type: x.*}, target: {}}", "source.type", "there is no such event type"),
        (
            "{source: {type: ping.failing}, target: {type: trust.up*}}",
            "target.type",
            "these event types are one-off events, which never fire",
        ),
        (
            "{source: {type: ping.failing}, target: {type: trust.mass_*}}",
            "target.type",
            "these event types are told whatever else fires",
        ),
    ],
)
def test_an_inhibition_that_does_nothing(reading: Reading, rule: str, key: str, message: str) -> None:
    found = told(reading, "after: 0s", f"inhibit: [{rule}]\n")
    assert found == [f"inhibit[0].{key}: nothing is inhibited by this: {message}"]


@pytest.mark.parametrize(
    ("source", "target", "mutual"),
    [
        ("{type: cluster.issue}", "{type: cluster.issue}", True),
        ("{type: 'replica.*'}", "{type: replica.stale, cluster: prod}", True),
        ("{type: ping.failing}", "{}", False),
        ("{type: cluster.issue, severity: critical}", "{type: cluster.issue, severity: warning}", False),
    ],
)
def test_alerts_that_cover_each_other(reading: Reading, source: str, target: str, mutual: bool) -> None:
    found = told(reading, "after: 0s", f"inhibit: [{{source: {source}, target: {target}}}]\n")
    assert [each.split(":")[0] for each in found] == (["inhibit[0]"] if mutual else [])
    if mutual:
        assert "nobody is told" in found[0]
