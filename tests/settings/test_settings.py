"""Clusters, short variables, secrets that others may read, and the sample that users meet first."""

from datetime import timedelta
from pathlib import Path

import pytest

from relay.app import build
from relay.engine.policy import Flap, Mass
from relay.model.errors import ConfigError
from relay.settings import read
from tests.settings.conftest import Reading

SAMPLE = """\
store: sqlite:///relay.db            # or postgresql://…
server: {listen: 127.0.0.1:8080, public_url: https://relay.example.com}
alerts:                              # per alert type, the same for all rules
  cluster.issue: {for: 30s, keep_firing_for: 1m}    # both default to 0s

clusters:
  - name: prod
    url: https://msr.example.com
    replicas: [https://msr-1.example.com, https://msr-2.example.com]   # optional: each is asked by itself
    registry_host: msr.example.com   # the HOST in scopes and GUNs; default: the URL's host[:port]
    username: relay
    password: ${PROD_PASSWORD}       # or password_file: /run/secrets/prod
    ca_file: /etc/ssl/msr-ca.pem     # client_cert, client_key, verify, proxy, timeout
    repositories: []                 # empty: all (needs an administrator); else namespace/name
    watch:                           # an interval each; `off` turns a watcher off
      ping: 10s
      nginx_status: 30s
      cluster_status: 15s
      changefeed: {every: 15s, start: newest, page: 1000, overlap: 5m}

channels:
  - {name: security, kind: slack, webhook_url: "${SLACK_WEBHOOK}"}
  - {name: soc, kind: webhook, url: https://soc.example.com/hooks/msr, secrets: ["${SOC_SECRET}"]}
  - name: oncall
    kind: email
    smtp: {host: smtp.example.com, port: 587, tls: starttls, username: relay, password: "${SMTP_PASSWORD}"}
    from: MSR Relay <relay@example.com>
    to: [oncall@example.com]         # cc, bcc, reply_to, headers
  - {name: phones, kind: apprise, urls: ["${PUSHOVER_URL}"]}

rules:
  - name: trust deletions
    match: {type: trust.deleted, repository: ["prod/**", "!prod/scratch-*"]}
    channels: [security, soc, oncall]
  - name: critical
    match: {severity: ">= critical"}
    when: "cluster != 'lab'"         # a Jinja expression, for what matchers cannot say
    channels: [security, phones]
    after: 30s                       # only if it still fires then; never delays a one-off event
"""
SECRETS = {
    "PROD_PASSWORD": "p",
    "SLACK_WEBHOOK": "https://hooks.slack.com/services/T/B/x",
    "SOC_SECRET": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
    "SMTP_PASSWORD": "p",
    "PUSHOVER_URL": "pover://user@token",
}


def test_the_sample_of_the_plan_loads_as_it_is(reading: Reading) -> None:
    settings = reading(SAMPLE, **SECRETS).settings
    (cluster,) = settings.clusters
    assert [replica.name for replica in cluster.members()] == ["msr-1.example.com", "msr-2.example.com"]
    assert {name: each.every.total_seconds() for name, each in cluster.watchers().items()} == {
        "ping": 10,
        "nginx_status": 30,
        "cluster_status": 15,
        "changefeed": 15,
        "trust": 5,
    }
    assert settings.channel_names == ["security", "soc", "oncall", "phones"]
    assert settings.alerts["cluster.issue"].hold.total_seconds() == 30
    assert settings.rules[1].after.total_seconds() == 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Flap(6, timedelta(minutes=10))),
        ("alerts: {ping.failing: {for: 1s}}", Flap(6, timedelta(minutes=10))),
        ("alerts: {ping.failing: {flap: {changes: 3}}}", Flap(3, timedelta(minutes=10))),
        ("alerts: {ping.failing: {flap: {within: 1h}}}", Flap(6, timedelta(hours=1))),
        ("alerts: {ping.failing: {flap: off}}", None),
        ("alerts: {ping.failing: {flap: ' OFF '}}", None),
    ],
)
def test_flapping_is_on_unless_turned_off(reading: Reading, text: str, expected: Flap | None) -> None:
    policy = build.policy(reading(text).settings)
    assert policy.damp("ping.failing").flap == expected
    assert policy.damp("cluster.issue").flap == Flap()
    assert policy.memory == max(timedelta(minutes=10), expected.within if expected else timedelta(0))


MINUTES = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", Mass(5, 10 * MINUTES, "cluster", 5 * MINUTES)),
        (
            ", mass_deletion: {count: 20, within: 1h, per: namespace, update: 30m}",
            Mass(20, 60 * MINUTES, "namespace", 30 * MINUTES),
        ),
        (", mass_deletion: off", None),
    ],
)
def test_what_a_mass_deletion_is(reading: Reading, options: str, expected: Mass | None) -> None:
    policy = build.policy(reading(cluster(f"url: https://m.example.com{options}")).settings)
    assert policy.mass.get("prod") == expected


def test_a_secret_that_is_not_set_is_told_where_it_stands(reading: Reading) -> None:
    with pytest.raises(ConfigError) as caught:
        reading(SAMPLE, **{name: text for name, text in SECRETS.items() if name != "SOC_SECRET"})
    assert "SOC_SECRET" in str(caught.value)
    assert "relay.yaml:23:82: channels[soc].secrets[0]" in str(caught.value)


def cluster(options: str) -> str:
    return f"clusters: [{{name: prod, {options}}}]\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("url: msr.example.com", "must be a URL such as https://msr.example.com"),
        ("url: ftp://msr.example.com", "must be a URL such as https://msr.example.com"),
        ("url: https://me:secret@msr.example.com", "must not hold a user or password"),
        ("url: https://msr.example.com/login", "must end after the host"),
        ("username: relay", "needs a url, or a list of replicas"),
        ("url: https://m.example.com, repositories: [app]", "clusters[prod].repositories[0]"),
        ("url: https://m.example.com, runbook_url: 'javascript:alert(1)'", "must be a web address"),
        (
            "url: https://m.example.com, runbook_url: 'https://me:secret@x'",
            "must not hold a user or password",
        ),
        ("url: https://m.example.com, watch: {pong: 1s}", 'did you mean "ping"?'),
        ("url: https://m.example.com, watch: {ping: soon}", "clusters[prod].watch.ping"),
        ("url: https://m.example.com, mass_deletion: {counts: 3}", 'did you mean "count"?'),
        ("url: https://m.example.com, mass_deletion: {count: 1}", "clusters[prod].mass_deletion.count"),
        ("url: https://m.example.com, mass_deletion: {within: 25h}", "must be at most 1d"),
        ("url: https://m.example.com, mass_deletion: {update: 0s}", "must be at least 1s"),
        ("url: https://m.example.com, mass_deletion: {within: 10}", "clusters[prod].mass_deletion.within"),
        ("url: https://m.example.com, mass_deletion: 10m", "must be off, or a mapping such as {count: 5"),
    ],
)
def test_a_cluster_that_cannot_be(reading: Reading, options: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reading(cluster(options))
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_runbook_is_an_annotation(reading: Reading) -> None:
    text = "url: https://m.example.com, annotations: {runbook_url: old, who: Bob}, runbook_url: 'https://w/x?a=1'"
    (found,) = reading(cluster(text)).settings.clusters
    assert found.notes == {"who": "Bob", "runbook_url": "https://w/x?a=1"}


def test_what_a_cluster_leaves_out(reading: Reading) -> None:
    text = cluster("replicas: ['https://a.example.com:444/', 'https://b.example.com']")
    (found,) = reading(text).settings.clusters
    assert found.entry == "https://a.example.com:444"
    assert found.host == "a.example.com:444"
    assert found.each_replica
    alone = cluster("url: https://lb.example.com, registry_host: msr.example.com")
    (found,) = reading(alone).settings.clusters
    assert [replica.url for replica in found.members()] == ["https://lb.example.com"]
    assert found.host == "msr.example.com"
    assert not found.each_replica


def test_a_watcher_is_an_interval_or_off_or_its_options(reading: Reading) -> None:
    watch = "watch: {ping: 3s, nginx_status: off, cluster_status: {every: 1m, stale: 9m}}"
    (found,) = reading(cluster(f"url: https://m.example.com, {watch}")).settings.clusters
    assert set(found.watchers()) == {"ping", "cluster_status", "changefeed", "trust"}
    assert found.watchers()["ping"].every.total_seconds() == 3
    assert found.watchers()["cluster_status"].every.total_seconds() == 60


def test_short_variables_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {
        "RELAY_MSR_URL": "https://msr.example.com",
        "RELAY_MSR_USERNAME": "relay",
        "RELAY_MSR_PASSWORD": "p",
        "RELAY_WEBHOOK_URL": "https://soc.example.com/x",
    }
    settings = read(None, environ, None).settings
    assert [(each.name, each.entry, each.username) for each in settings.clusters] == [
        ("msr", "https://msr.example.com", "relay")
    ]
    assert [(each.name, each.kind) for each in settings.destinations] == [("webhook", "webhook")]
    assert [(rule.name, rule.channels) for rule in settings.effective_rules] == [("default", ["webhook"])]


def test_a_short_variable_goes_over_the_file(reading: Reading) -> None:
    text = "clusters: [{name: msr, url: https://old.example.com}]\n"
    (found,) = reading(text, RELAY_MSR_URL="https://new.example.com").settings.clusters
    assert found.entry == "https://new.example.com"


def test_a_variable_that_is_misspelt_is_told(reading: Reading) -> None:
    with pytest.raises(ConfigError, match=r"did you mean RELAY_MSR_URL\?"):
        reading("", RELAY_MSR_ULR="https://msr.example.com")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("store: sqlite:////var/lib/relay-of-the-whole-company/relay.db", []),
        ("store: postgresql://relay:secret@db/relay", ["store"]),
        ("channels: [{name: a, kind: webhook, url: https://soc.example.com/hooks/msr}]", []),
        (
            "channels: [{name: a, kind: webhook, url: 'https://soc.example.com/x?key=1'}]",
            ["channels[a].url"],
        ),
        (
            "channels: [{name: a, kind: webhook, url: https://soc.example.com/0123456789abcdef0123}]",
            ["channels[a].url"],
        ),
        ("clusters: [{name: a, url: https://m.example.com, password: p}]", ["clusters[a].password"]),
    ],
)
def test_only_secrets_that_others_may_read_are_told(tmp_path: Path, line: str, told: list[str]) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text(line + "\n")
    file.chmod(0o644)
    assert [each.key for each in read(file, {}, None).unwise] == told
    file.chmod(0o600)
    assert read(file, {}, None).unwise == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("server: {listen: '8080'}", "must be host:port"),
        ("server: {listen: 'a:99999'}", "must be host:port"),
        ("timezone: Europe/Atlantis", "must be an IANA time zone"),
        ("severities: {trust.gone: info}", "there is no event type trust.gone"),
        ("alerts: {trust.deleted: {for: 1s}}", "is a one-off event"),
        ("alerts: {trust.mass_deletion: {for: 1s}}", "a cluster's mass_deletion says when it begins"),
        ("rules: [{name: a, channels: [], runbook_url: 'file:///x'}]", "must be a web address"),
        ("rules: [{name: a, channels: [], runbook_url: 'https://x/|'}]", "must not hold blanks"),
        ("alerts: {cluster.isue: {for: 1s}}", "there is no event type cluster.isue"),
        (
            "alerts: {ping.failing: {flap: 10m}}",
            "must be off, or a mapping such as {changes: 6, within: 10m}",
        ),
        ("alerts: {ping.failing: {flap: {within: 0s}}}", "must be longer than 0s; `flap: off` turns it off"),
        ("alerts: {ping.failing: {flap: {changes: 0}}}", r"alerts\.ping\.failing\.flap\.changes"),
        ("alerts: {ping.failing: {flap: {change: 3}}}", "changes"),
    ],
)
def test_values_that_cannot_be(reading: Reading, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        reading(text)
