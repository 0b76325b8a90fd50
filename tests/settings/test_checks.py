"""What no single value shows: each error and each warning, with its place."""

import pytest

from relay.engine.heartbeat import Greeting
from relay.engine.schedule import Schedule
from relay.model.errors import ConfigError
from tests.settings.conftest import Reading

CLUSTER = "{name: prod, replicas: [https://msr-1.example.com], username: relay, password: p}"
CHANNEL = "{name: ops, kind: console}"
GOOD = f"""\
clusters:
  - {CLUSTER}
channels:
  - {CHANNEL}
rules:
  - {{name: all, channels: [ops]}}
"""


def errors(reading: Reading, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        reading(text)
    return [f"{each.where}: {each.key}: {each.message}" for each in caught.value.problems]


def warnings(reading: Reading, text: str, known: tuple[str, ...] = ()) -> list[str]:
    found = reading(text).warnings(lambda _, name: name in known)
    return [f"{each.where}: {each.key}: {each.message}" for each in found]


def test_a_good_one_has_no_warning(reading: Reading) -> None:
    assert warnings(reading, GOOD) == []


@pytest.mark.parametrize(
    ("added", "told"),
    [
        (
            f"clusters:\n  - {CLUSTER}\n  - {CLUSTER}\n",
            "relay.yaml:3:12: clusters[prod].name: 'prod' is taken",
        ),
        (
            f"channels:\n  - {CHANNEL}\n  - {CHANNEL}\n",
            "relay.yaml:3:12: channels[ops].name: 'ops' is taken",
        ),
    ],
)
def test_a_name_may_stand_once(reading: Reading, added: str, told: str) -> None:
    assert errors(reading, added) == [told]


def test_a_rule_needs_channels_that_exist(reading: Reading) -> None:
    text = GOOD + "  - {name: b, channels: [ops, nobody]}\n  - {name: c, channels: nobody}\n"
    assert errors(reading, text) == [
        "relay.yaml:7:31: rules[b].channels[1]: there is no channel 'nobody'",
        "relay.yaml:8:25: rules[c].channels: there is no channel 'nobody'",
    ]


def test_what_is_wrong_between_values_is_told_together_with_wrong_values(reading: Reading) -> None:
    text = GOOD + "  - {name: b, channels: [nobody], after: 5}\n  - {name: b, channels: [ops]}\n"
    told = errors(reading, text)
    assert len(told) == 3
    assert told[0].startswith("relay.yaml:7:42: rules[b].after: ")
    assert told[1:] == [
        "relay.yaml:8:12: rules[b].name: 'b' is taken",
        "relay.yaml:7:26: rules[b].channels[0]: there is no channel 'nobody'",
    ]


@pytest.mark.parametrize(
    "text", ["rules: 5", "rules: [1, [], {}]", "channels: {name: 1}", "clusters: [{name: []}]"]
)
def test_nonsense_breaks_nothing(reading: Reading, text: str) -> None:
    assert errors(reading, text)


def test_a_rule_about_no_event_type_is_no_rule(reading: Reading) -> None:
    (told,) = errors(reading, GOOD + "  - {name: b, channels: [ops], match: {type: trust.delete}}\n")
    assert "there is no event type trust.delete" in told
    assert "did you mean trust.deleted?" in told


def test_msr_is_not_asked_without_pause(reading: Reading) -> None:
    (told,) = errors(reading, GOOD.replace(CLUSTER, CLUSTER.replace("{", "{watch: {ping: 0s}, ", 1), 1))
    assert "ping" in told
    assert "must be at least 100ms" in told


def test_two_rules_may_not_have_one_name(reading: Reading) -> None:
    assert errors(reading, GOOD + "  - {name: all, channels: [ops]}\n") == [
        "relay.yaml:7:12: rules[all].name: 'all' is taken"
    ]


def test_an_expression_has_to_be_one(reading: Reading) -> None:
    (told,) = errors(reading, GOOD + '  - {name: b, channels: [ops], when: "cluster =="}\n')
    assert told.startswith("relay.yaml:7:38: rules[b].when: ")


def test_nothing_to_watch_and_nobody_to_tell(reading: Reading) -> None:
    found = warnings(reading, "store: sqlite:///relay.db\n")
    assert [each.split(": ", 1)[1] for each in found] == [
        "clusters: no cluster is watched",
        "channels: nobody is told anything",
    ]


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        (
            CLUSTER.replace("password: p", "password: p, verify: false"),
            "relay.yaml:2:95: clusters[prod].verify: any certificate is accepted: the password can be stolen",
        ),
        (
            CLUSTER.replace("https://", "http://"),
            "relay.yaml:2:5: clusters[prod].url: the password crosses the network in clear",
        ),
        (
            "{name: prod, url: https://msr.example.com, username: relay, password: p}",
            "relay.yaml:2:5: clusters[prod]: dropped connections are not counted: "
            "a load balancer may be behind the one URL",
        ),
        (
            "{name: prod, replicas: [https://msr-1.example.com]}",
            "relay.yaml:2:5: clusters[prod]: no user is given, "
            "so neither cluster_status nor the changefeed can be read",
        ),
        (
            CLUSTER.replace("password: p", "password: ''"),
            "relay.yaml:2:84: clusters[prod].password: the password of relay is empty",
        ),
    ],
)
def test_a_cluster_that_is_hardly_meant_so(reading: Reading, cluster: str, told: str) -> None:
    assert warnings(reading, GOOD.replace(CLUSTER, cluster)) == [told]


def test_what_is_off_needs_no_warning(reading: Reading) -> None:
    watch = "{nginx_status: off, cluster_status: off, changefeed: off}"
    cluster = f"{{name: prod, url: https://m.example.com, watch: {watch}}}"
    assert warnings(reading, GOOD.replace(CLUSTER, cluster)) == []


@pytest.mark.parametrize(
    ("match", "key", "why"),
    [
        ("type: gone.*", "type", "there is no such event type"),
        ("cluster: lab", "cluster", "there is no such cluster"),
        (
            "type: ping.*, repository: prod/*",
            "repository",
            "these event types are not about repositories",
        ),
        ("type: trust.*, replica: f2", "replica", "these event types are not about replicas"),
    ],
)
def test_a_rule_that_can_never_match(reading: Reading, match: str, key: str, why: str) -> None:
    text = GOOD + f"  - {{name: b, match: {{{match}}}, channels: [ops]}}\n"
    (told,) = warnings(reading, text)
    assert told.startswith("relay.yaml:7:")
    assert told.endswith(f"rules[b].match.{key}: this rule can never match: {why}")


@pytest.mark.parametrize(
    ("first", "second", "covered"),
    [
        ("{}", "{type: trust.deleted}", True),
        ("{type: trust.*}", "{type: trust.deleted}", True),
        ("{type: trust.deleted}", "{type: trust.*}", False),
        ("{severity: '>= warning'}", "{severity: critical}", True),
        ("{severity: critical}", "{severity: '>= warning'}", False),
        ("{severity: critical}", "{type: trust.deleted}", False),
        ("{repository: 'prod/**'}", "{repository: prod/app}", True),
        ("{repository: 'prod/**'}", "{type: trust.deleted}", False),
        ("{repository: ['prod/**', '!prod/x']}", "{repository: prod/x}", False),
        ("{labels: {team: a}}", "{labels: {team: a}}", True),
        ("{labels: {team: a}}", "{labels: {team: b}}", False),
    ],
)
def test_a_rule_below_one_that_stops(reading: Reading, first: str, second: str, covered: bool) -> None:
    rules = (
        f"  - {{name: a, match: {first}, channels: [ops], stop: true}}\n"
        f"  - {{name: b, match: {second}, channels: [ops]}}\n"
    )
    text = GOOD.replace("  - {name: all, channels: [ops]}\n", rules)
    told = "relay.yaml:7:5: rules[b]: this rule is never reached: 'a' above takes the same and stops"
    assert warnings(reading, text) == ([told] if covered else [])


def test_a_condition_above_hides_nothing(reading: Reading) -> None:
    rules = "  - {name: a, when: 'true', channels: [ops], stop: true}\n  - {name: b, channels: [ops]}\n"
    assert warnings(reading, GOOD.replace("  - {name: all, channels: [ops]}\n", rules)) == []


def test_a_template_has_to_exist_for_the_kind(reading: Reading) -> None:
    text = GOOD + "  - {name: b, channels: [ops], template: mine}\n"
    assert warnings(reading, text, known=("mine",)) == []
    assert warnings(reading, text) == [
        "relay.yaml:7:42: rules[b].template: there is no template mine for console (channel ops)"
    ]


def test_links_lead_nowhere_yet(reading: Reading) -> None:
    (told,) = warnings(reading, GOOD + "server: {public_url: https://relay.example.com}\n")
    assert told.startswith("relay.yaml:7:22: server.public_url: ")


@pytest.mark.parametrize(
    ("heartbeat", "told"),
    [
        ("{name: h}", "relay.yaml:8:5: heartbeats[h]: needs either a url, or a channel with a schedule"),
        (
            "{name: h, url: https://hc.example.com/x, channel: ops, schedule: 0 8 * * *}",
            "relay.yaml:8:5: heartbeats[h]: needs either a url, or a channel with a schedule",
        ),
        (
            "{name: h, channel: ops}",
            "relay.yaml:8:5: heartbeats[h]: needs a schedule, such as 0 8 * * MON-FRI",
        ),
        (
            "{name: h, channel: nobody, schedule: 0 8 * * *}",
            "relay.yaml:8:24: heartbeats[h].channel: there is no channel 'nobody'",
        ),
        (
            "{name: h, channel: ops, schedule: 61 * * * *}",
            "relay.yaml:8:39: heartbeats[h].schedule: must be a cron expression such as 0 8 * * MON-FRI: "
            "its minute is wrong",
        ),
        (
            "{name: h, channel: ops, schedule: 0 8 * * *, zone: Mars/Olympus}",
            "relay.yaml:8:56: heartbeats[h].zone: must be an IANA time zone, such as Europe/Berlin",
        ),
        ("{name: h, url: 'hc.example.com/secret'}", "relay.yaml:8:20: heartbeats[h].url: not a URL: "),
        (
            "{name: h, url: 'https://hc.example.com', every: 1s}",
            "relay.yaml:8:53: heartbeats[h].every: must be at least 10s",
        ),
        (
            "{name: h, url: 'https://hc.example.com', zone: UTC}",
            "relay.yaml:8:5: heartbeats[h]: has zone, which a heartbeat by url does not",
        ),
        (
            "{name: h, channel: ops, schedule: 0 8 * * *, method: POST}",
            "relay.yaml:8:5: heartbeats[h]: has method, which a heartbeat by channel does not",
        ),
    ],
)
def test_a_heartbeat_has_to_be_of_one_sort(reading: Reading, heartbeat: str, told: str) -> None:
    (found,) = errors(reading, GOOD + f"heartbeats:\n  - {heartbeat}\n")
    assert found.startswith(told)
    assert "secret" not in found


def test_a_heartbeats_name_may_stand_once(reading: Reading) -> None:
    one = "  - {name: h, url: https://hc.example.com/x}\n"
    (found,) = errors(reading, GOOD + "heartbeats:\n" + one + one)
    assert found == "relay.yaml:9:12: heartbeats[h].name: 'h' is taken"


def test_a_heartbeat_takes_the_zone_of_all(reading: Reading) -> None:
    text = GOOD + "timezone: Europe/Berlin\nheartbeats:\n  - {name: h, channel: ops, schedule: 0 8 * * *}\n"
    settings = reading(text).settings
    (built,) = [each.built(settings.timezone) for each in settings.heartbeats]
    assert built == Greeting("h", "ops", Schedule("0 8 * * *", "Europe/Berlin"))


@pytest.mark.parametrize(("written", "seconds"), [("off", None), ("10m", 600), ("2m", 120)])
def test_absence_is_reported_after_a_while_or_never(
    reading: Reading, written: str, seconds: int | None
) -> None:
    found = reading(GOOD + f"report_absence: {written}\n").settings.report_absence
    assert (found and found.total_seconds()) == seconds


def test_absence_is_no_shorter_than_what_is_noticed(reading: Reading) -> None:
    (told,) = errors(reading, GOOD + "report_absence: 30s\n")
    assert told.startswith("relay.yaml:7:17: report_absence: must be at least 2m")
