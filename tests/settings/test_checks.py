"""What no single value shows: each error and each warning, with its place."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from relay.engine.heartbeat import Greeting
from relay.engine.schedule import Schedule
from relay.model.errors import ConfigError
from tests.settings.conftest import Reading

QUIET_HOURS = Path(__file__).parents[2] / "docs/how-to/quiet-hours.md"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
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
    found = reading(text).warnings(lambda _, name: name in known, NOW)
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


NIGHT = """\
time_intervals:
  night: {times: 22:00-06:00, zone: Europe/Berlin}
  holidays:
    - {months: dec, days_of_month: 24:26}
    - {months: jan, days_of_month: 1}
"""


def with_rule(options: str, intervals: str = NIGHT) -> str:
    return (
        GOOD.replace("{name: all, channels: [ops]}", f"{{name: all, channels: [ops], {options}}}") + intervals
    )


def test_rules_name_time_intervals(reading: Reading) -> None:
    text = with_rule("mute_during: [night, holidays]")
    assert warnings(reading, text) == []
    settings = reading(text).settings
    assert {name: len(found) for name, found in settings.times.items()} == {"night": 1, "holidays": 2}
    assert settings.rules[0].mute_during == ["night", "holidays"]


@pytest.mark.parametrize(
    ("options", "place", "name", "hint"),
    [
        ("mute_during: nigth", "6:47: rules[all].mute_during", "nigth", "did you mean night?"),
        ("active_during: [night, x]", "6:57: rules[all].active_during[1]", "x", "there are night, holidays"),
    ],
)
def test_a_time_interval_has_to_exist(
    reading: Reading, options: str, place: str, name: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        reading(with_rule(options))
    (told,) = map(str, caught.value.problems)
    assert told == f"relay.yaml:{place}: there is no time interval {name!r}; {hint}"


def test_where_there_is_no_time_interval(reading: Reading) -> None:
    with pytest.raises(ConfigError, match="write it under time_intervals"):
        reading(with_rule("mute_during: night", ""))


@pytest.mark.parametrize("text", ["5", "[night]", "{night: 5}", "{night: [5]}", "{night: []}", "{night: }"])
def test_nonsense_in_time_intervals(reading: Reading, text: str) -> None:
    assert errors(reading, GOOD + f"time_intervals: {text}\n")


@pytest.mark.parametrize(
    ("interval", "told"),
    [
        ("{weekdays: [mon, fry]}", "8:23: time_intervals.a.weekdays[1]: must be a weekday or a range"),
        ("{times: 9-17}", "8:14: time_intervals.a.times[0]: must be a range of times, such as 09:00-17:30"),
        ("{times: [{from: 9, to: 17:00}]}", "8:22: time_intervals.a.times[0].from: must be a time of day"),
        ("{times: [{from: 09:00}]}", "8:15: time_intervals.a.times[0].to: is missing"),
        ("{times: {from: 09:00, to: 17:00}}", "8:14: time_intervals.a.times: must be a list"),
        ("[{zone: UTC}, {zone: Berlin}]", "8:27: time_intervals.a[1].zone: must be an IANA time zone"),
        ("{weekday: mon}", "8:7: time_intervals.a.weekday: unknown key"),
        ("[]", "8:6: time_intervals.a: must be a mapping, or a list of at least one"),
    ],
)
def test_what_is_wrong_in_a_time_interval_has_its_place(reading: Reading, interval: str, told: str) -> None:
    (found,) = errors(reading, GOOD + f"time_intervals:\n  a: {interval}\n")
    assert found.startswith(f"relay.yaml:{told}")


def test_bare_times_and_numbers_are_read_as_written(reading: Reading) -> None:
    text = with_rule(
        "mute_during: a", "time_intervals: {a: {times: [{from: 09:00, to: 17:30}], days_of_month: -1}}\n"
    )
    (found,) = reading(text).settings.times["a"]
    assert found.contains(datetime(2026, 11, 30, 9, 0, tzinfo=UTC))
    assert not found.contains(datetime(2026, 11, 30, 17, 30, tzinfo=UTC))
    assert not found.contains(datetime(2026, 11, 29, 9, 0, tzinfo=UTC))


def test_time_intervals_by_variables(reading: Reading) -> None:
    settings = reading(
        with_rule("mute_during: night"),
        RELAY_TIME_INTERVALS__NIGHT__TIMES="23:00-05:00",
        RELAY_TIME_INTERVALS__NIGHT__WEEKDAYS="mon:thu,sun",
        RELAY_RULES__ALL__ACTIVE_DURING="holidays,night",
    ).settings
    (night,) = settings.times["night"]
    assert (night.weekdays, night.zone) == (["mon:thu", "sun"], "Europe/Berlin")
    assert night.contains(datetime(2026, 11, 24, 22, 0, tzinfo=UTC))
    assert not night.contains(datetime(2026, 11, 24, 21, 0, tzinfo=UTC))
    assert settings.rules[0].active_during == ["holidays", "night"]


EXAMPLES = re.findall(r"```yaml\n(.*?)```", QUIET_HOURS.read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_guide_are_in_order(reading: Reading, example: str) -> None:
    rules = yaml.safe_load(example)["rules"]
    names = sorted({name for each in rules for name in each["channels"]})
    channels = "".join(f"  - {{name: {name}, kind: console}}\n" for name in names)
    assert warnings(reading, f"clusters:\n  - {CLUSTER}\nchannels:\n{channels}{example}") == []


def test_a_time_interval_that_no_rule_names(reading: Reading) -> None:
    assert warnings(reading, with_rule("mute_during: night")) == [
        "relay.yaml:10:5: time_intervals.holidays: no rule names this time interval"
    ]


@pytest.mark.parametrize(
    ("options", "interval", "told"),
    [
        ("active_during: a", "{years: 2020:2025}", True),
        ("active_during: a", "{years: 2020:2026}", False),
        ("active_during: a", "{years: 2027, months: nov, days_of_month: 23}", False),
        ("active_during: a", "{years: 2027, months: nov, days_of_month: 27}", True),
        ("mute_during: a", "{zone: Asia/Kolkata}", True),
        ("mute_during: a", "[{times: 00:00-12:00}, {times: 12:00-00:00}]", True),
        ("mute_during: a", "[{times: 00:00-12:00}, {times: 12:01-00:00}]", False),
        ("active_during: a, mute_during: a", "{times: 09:00-17:00}", True),
    ],
)
def test_a_rule_that_is_never_heard(reading: Reading, options: str, interval: str, told: bool) -> None:
    message = "this rule is muted for the whole year to come: its messages reach nobody"
    expected = [f"relay.yaml:6:5: rules[all]: {message}"] if told else []
    assert warnings(reading, with_rule(options, f"time_intervals: {{a: {interval}}}\n")) == expected


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("repeat: 10s", "repeat: must be at least 1m"),
        ("escalate: {after: 0s, channels: [ops]}", "escalate[0].after: must be more than 0s"),
    ],
)
def test_limits_of_durations_are_told_as_they_are_written(reading: Reading, option: str, told: str) -> None:
    (found,) = errors(reading, with_rule(option, ""))
    assert found.endswith(told)


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


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        (
            "{name: h, kind: msr, cluster: lab, secret: 0123456789abcdef}",
            "relay.yaml:8:35: hooks[h].cluster: there is no cluster 'lab'",
        ),
        (
            "{name: h, kind: msr, cluster: prod, secret: 0123456789abcde}",
            "relay.yaml:8:49: hooks[h].secret: must have at least 16 characters: openssl rand -hex 32 makes",
        ),
        (
            "{name: h, kind: msr, cluster: prod, secret: 0123456789/abcdef}",
            "relay.yaml:8:49: hooks[h].secret: may have letters, digits and . _ ~ - only: it may stand in a",
        ),
        ("{name: h, kind: msr, cluster: prod}", "relay.yaml:8:5: hooks[h].secret: "),
        (
            "{name: h, kind: harbor, cluster: prod, secret: 0123456789abcdef}",
            "relay.yaml:8:21: hooks[h].kind: ",
        ),
        (
            "{name: a/b, kind: msr, cluster: prod, secret: 0123456789abcdef}",
            "relay.yaml:8:12: hooks[a/b].name",
        ),
    ],
)
def test_a_hook_that_cannot_be(reading: Reading, hook: str, told: str) -> None:
    (found,) = errors(reading, GOOD + f"hooks:\n  - {hook}\n")
    assert found.startswith(told)
    assert "0123456789" not in found


def test_a_hooks_name_may_stand_once(reading: Reading) -> None:
    one = "  - {name: h, kind: msr, cluster: prod, secret: 0123456789abcdef}\n"
    (found,) = errors(reading, GOOD + "hooks:\n" + one + one)
    assert found == "relay.yaml:9:12: hooks[h].name: 'h' is taken"


def test_the_labels_of_what_is_posted_are_not_known_before(reading: Reading) -> None:
    rule = "  - {{name: r, match: {{type: {}}}, channels: [ops], group: {{by: labels.alertname}}}}\n"
    assert warnings(reading, GOOD + rule.format("alertmanager.alert")) == []
    (found,) = warnings(reading, GOOD + rule.format("cluster.issue"))
    assert "labels.alertname" in found
