"""What is wrong with a configuration: place, key, message and hint of every error, all at once."""

from pathlib import Path

import pytest

from relay.model.errors import ConfigError, Exit, Problem
from tests.config.sample import SAMPLE, VARIABLES, loaded, write


def refusal(folder: Path, *changes: tuple[str, str], text: str = SAMPLE, **environ: str) -> list[str]:
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        loaded(path, {**VARIABLES, **environ})
    return str(caught.value).replace(f"{folder}/", "").splitlines()


UNITS = "write a unit, such as 30s, 5m, 2h or 1d"
KINDS = '"slack", "webhook", "email", "apprise"'
DURATION = "must be a duration such as 500ms, 30s, 5m, 2h, 1d or 1h30m"
PROD = SAMPLE[SAMPLE.index("name: prod") : SAMPLE.index("    ca_file")]
CRITICAL = SAMPLE[SAMPLE.index("name: critical") : SAMPLE.index("    after")]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "kind: slack, webhook_url:",
            "kind: slack, §webhok_url:",
            'channels[security].webhok_url: unknown key; did you mean "webhook_url"?',
        ),
        (
            "    ca_file: /etc",
            "    §CA-File: /etc",
            'clusters[prod].CA-File: unknown key; did you mean "ca_file"?',
        ),
        ("store:", "severities: {§trust: info}\nstore:", "severities.trust: there is no event type trust"),
        ("store:", "§stores:", 'stores: unknown key; did you mean "store"?'),
        ("{for: 30s,", "{§fro: 30s,", 'alerts.cluster.issue.fro: unknown key; did you mean "for"?'),
        (
            "start: newest",
            "start: {§tim: now}",
            'clusters[prod].watch.changefeed.start.tim: unknown key; did you mean "time"?',
        ),
        (
            "host: smtp.example.com, port",
            "§hots: smtp.example.com, port",
            'channels[oncall].smtp.hots: unknown key; did you mean "host"?',
        ),
        ("server: {", "server: {§zzz: 1, ", "server.zzz: unknown key; known here: listen, public_url"),
        (
            "cluster.issue:",
            "§cluster.isue:",
            'alerts.cluster.isue: unknown key; did you mean "cluster.issue"?',
        ),
        (
            PROD,
            "§" + PROD.replace("password: ${PROD_PASSWORD}", "verify: true"),
            "clusters[prod].password: is missing; "
            'set "password" or "password_file" or RELAY_CLUSTERS__PROD__PASSWORD',
        ),
        (
            CRITICAL,
            "§" + CRITICAL.replace("    channels: [security, phones]\n", ""),
            "rules[critical].channels: is missing",
        ),
        (
            "{name: security, kind: slack, ",
            "§{name: security, ",
            'channels[security].kind: is missing; write one of "slack", "webhook", "email", "apprise"',
        ),
        (
            "kind: webhook",
            "kind: §webhok",
            f'channels[soc].kind: must be one of {KINDS}, not "webhok"; did you mean "webhook"?',
        ),
        (
            "tls: starttls",
            "tls: §startls",
            'channels[oncall].smtp.tls: must be one of "starttls", "tls", "none", not "startls"; '
            'did you mean "starttls"?',
        ),
        ("port: 587", "port: §smtp", 'channels[oncall].smtp.port: must be a whole number, not "smtp"'),
        (
            "{host: smtp.example.com, port: 587,",
            "{host: smtp.example.com, port: §~,",
            "channels[oncall].smtp.port: must be a whole number, not empty",
        ),
        ("page: 1000", "page: §1001", "clusters[prod].watch.changefeed.page: must be at most 1000"),
        (
            "ping: 10s",
            "ping: §10",
            f'clusters[prod].watch.ping: must be a duration with its unit, or "off", not 10; {UNITS}',
        ),
        (
            "ping: 10s",
            "ping: §10x",
            f'clusters[prod].watch.ping: {DURATION}, or "off", not "10x"',
        ),
        (
            "overlap: 5m",
            "overlap: §-5m",
            f'clusters[prod].watch.changefeed.overlap: {DURATION}, not "-5m"',
        ),
        (
            "start: newest",
            "start: §newst",
            'clusters[prod].watch.changefeed.start: must be "newest" or "beginning", not "newst"; '
            'did you mean "newest"?',
        ),
        (
            "after: 30s",
            "after: §5",
            f"rules[critical].after: must be a duration with its unit, not 5; {UNITS}",
        ),
        (
            "to: [oncall@example.com]",
            "to: §oncall@example.com",
            "channels[oncall].to: must be a list; put it in [ ]",
        ),
        (
            "to: [oncall@example.com]",
            "to: [a, §5]",
            "channels[oncall].to[1]: must be text, not 5; put it in quotes",
        ),
        (
            "username: relay\n",
            "username: §0x1f\n",
            "clusters[prod].username: must be text, not 31; put it in quotes",
        ),
        ("username: relay\n", "username:§\n", "clusters[prod].username: must be text, not empty"),
        (
            "password: ${PROD_PASSWORD}",
            "password: §12345",
            "clusters[prod].password: must be text; put it in quotes",
        ),
        ("password: ${PROD_PASSWORD}", "password: §''", "clusters[prod].password: must not be empty"),
        (
            "url: https://msr.example.com",
            "url: §msr.example.com",
            "clusters[prod].url: must be a URL such as https://host.example.com (relative URL without a base"
            ")",
        ),
        (
            "url: https://msr.example.com",
            "url: §ftp://msr.example.com",
            "clusters[prod].url: must be a URL that begins with 'http' or 'https'",
        ),
        ("name: prod\n", "name: §-prod\n", "clusters[-prod].name: '-prod' must not begin with a dash"),
        ('match: {severity: ">= critical"}', "match: §all", "rules[critical].match: must be a mapping"),
        ("    after: 30s", "    stop: §maybe", 'rules[critical].stop: must be true or false, not "maybe"'),
        ("    after: 30s", "    stop: §[yes]", "rules[critical].stop: must be true or false, not a list"),
        (
            'secrets: ["${SOC_SECRET}"]',
            "limit: §20",
            "channels[soc].limit: must be a size with its unit, not 20; "
            "write a unit, such as 512B, 20kB or 1MiB",
        ),
        (
            "    repositories: []",
            "    repositories: §{a: b}",
            "clusters[prod].repositories: must be a list; put it in [ ]",
        ),
        (
            "    channels: [security, phones]",
            "    channels: [§[security], phones]",
            "rules[critical].channels[0]: must be text, not a list",
        ),
    ],
)
def test_each_problem_is_told_in_plain_words_at_its_place(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    before = SAMPLE[: SAMPLE.index(old)] + new[: new.index("§")]
    place = f"relay.yaml:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    assert refusal(tmp_path, (old, new.replace("§", "")))[0] == f"{place}: {line}"


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = refusal(
        tmp_path,
        ("password: ${PROD_PASSWORD}", "password: ${NONE}"),
        ("port: 587", "port: x"),
        ("webhook_url:", "webhok_url:"),
        ("after: 30s", "after: 30"),
        ('urls: ["${PUSHOVER_URL}"]', "urls_file: /nonexistent"),
        RELAY_NONSENSE="1",
        RELAY_CLUSTERS__PROD__VERIFY="maybe",
    )
    assert [line.split(": ")[1] for line in found] == [
        "unknown variable",
        "clusters[prod].password",
        "channels[phones].urls_file",
        "clusters[prod].verify",
        "channels[security].webhok_url",
        "channels[oncall].smtp.port",
        "rules[critical].after",
    ]


def test_the_error_holds_its_problems(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(write(tmp_path, SAMPLE.replace("port: 587", "port: x")))
    assert caught.value.problems == (
        Problem(
            f"{tmp_path}/relay.yaml:24:42", "channels[oncall].smtp.port", 'must be a whole number, not "x"'
        ),
    )
    assert caught.value.exit is Exit.CONFIG


def test_a_member_without_a_name_is_told_by_its_number(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, text="clusters: [{username: u, password: p}]\n")
    assert line == "relay.yaml:1:12: clusters[0].name: is missing"


def test_nothing_at_all_is_told_too() -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(None, {})
    assert str(caught.value) == "no configuration file: clusters: is missing"


def test_keys_cannot_smuggle_control_characters_or_floods(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, ("store:", f'"\\e[31m{"x" * 500}": 1\nstore:'))
    assert "\x1b" not in line
    assert len(line) < 250


def test_other_code_reports_its_own_findings(tmp_path: Path) -> None:
    tree = loaded(write(tmp_path, SAMPLE)).document
    problem = tree.problem(
        ("rules", 1, "channels", 1), 'no channel is called "phones"', 'did you mean "phone"?'
    )
    assert str(problem).removeprefix(f"{tmp_path}/") == (
        'relay.yaml:36:26: rules[critical].channels[1]: no channel is called "phones"; did you mean "phone"?'
    )
