"""The relay is watched by real Prometheus, with the rules and the dashboard that are shipped."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.server.metrics import Metrics
from tests.acceptance.conftest import MakeRelay
from tests.acceptance.imitated import Cluster
from tests.acceptance.in_process import running
from tests.acceptance.relay import until
from tests.acceptance.test_metrics import scrape, settings
from tests.real import parts
from tests.real.fixtures import MakeReceiver
from tests.real.prometheus import prometheus
from tests.support.clock import ManualClock

DOCS = Path(__file__).parents[2] / "docs"
MONITORING = DOCS / "monitoring"
RULES = MONITORING / "alerts.yml"
DASHBOARD = json.loads((MONITORING / "grafana.json").read_text())
_NAME = re.compile(r"\b(?:msr_relay|process)_[a-z_]+")


def promtool(*words: str, given: str | None = None) -> str:
    """What promtool says; AssertionError with it where it finds something wrong."""
    program = parts.need("prometheus")["promtool"]
    done = subprocess.run(
        [program, *words],
        input=given,
        capture_output=True,
        text=True,
        cwd=MONITORING,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def expressions(found: Any) -> list[str]:
    """Every expression and query of a document, wherever it stands."""
    if isinstance(found, list):
        return [text for each in found for text in expressions(each)]
    if not isinstance(found, dict):
        return []
    own = [found[key] for key in ("expr", "query") if isinstance(found.get(key), str)]
    return own + [text for each in found.values() for text in expressions(each)]


@pytest.mark.real("prometheus")
def test_the_rules_are_sound_and_fire_when_they_should() -> None:
    assert "14 rules found" in promtool("check", "rules", RULES.name)
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


@pytest.mark.real("prometheus")
async def test_what_is_served_is_as_prometheus_wants_it(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    receiver = make_receiver()
    cluster.delete("prod/app")
    async with running(tmp_path, settings(cluster, receiver)) as relay:
        await relay.until(lambda: len(receiver.requests) >= 2, "both records were told")
        text = (await scrape(relay)).text
    assert "msr_relay_events_total{" in text
    assert promtool("check", "metrics", given=text) == ""


@pytest.mark.parametrize(
    "document", [DASHBOARD, yaml.safe_load(RULES.read_text())], ids=["grafana", "alerts"]
)
async def test_every_metric_that_is_asked_for_is_served(
    document: Any, tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    asked = {name for text in expressions(document) for name in _NAME.findall(text)}
    assert len(asked) > 10
    receiver = make_receiver()
    cluster.delete("prod/app")
    async with running(tmp_path, settings(cluster, receiver)) as relay:
        await relay.until(lambda: len(receiver.requests) >= 2, "both records were told")
        found = await scrape(relay)
    served = set(re.findall(r"^([a-z_]+)[ {]", found.text, re.MULTILINE))
    # Some have samples only once there was trouble.
    kinds = set(re.findall(r"^# TYPE (\S+)", found.text, re.MULTILINE))
    assert asked <= served | kinds, asked - served - kinds


def test_the_dashboard_can_be_imported() -> None:
    assert (DASHBOARD["title"], DASHBOARD["uid"]) == ("MSR Relay", "msr-relay")
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]}
    assert len(places) == len(ids), "no two panels stand in one place"
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    used = {name for text in expressions(DASHBOARD["panels"]) for name in re.findall(r"\$([a-z]+)\b", text)}
    assert used <= variables


def test_the_dashboard_and_the_rules_leave_no_metric_out() -> None:
    asked = set(_NAME.findall((MONITORING / "grafana.json").read_text() + RULES.read_text()))
    described = {each.name for each in Metrics(ManualClock()).described}
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
    assert described <= shown, described - shown


@pytest.mark.real("prometheus")
def test_a_real_prometheus_scrapes_a_running_relay(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver, make_relay: MakeRelay
) -> None:
    receiver = make_receiver()
    relay = make_relay(settings(cluster, receiver))
    relay.start()
    cluster.delete("prod/app")
    receiver.requests.wait(2)
    [example] = re.findall(r"```yaml\n(scrape_configs:.*?)```", _guide(), re.DOTALL)
    configuration = example.replace("127.0.0.1:8080", f"127.0.0.1:{relay.port}").replace("15s", "200ms")
    configuration = configuration.replace("/etc/prometheus/msr-relay-alerts.yml", str(RULES))
    assert str(relay.port) in configuration
    assert str(RULES) in configuration
    with prometheus(tmp_path / "prometheus", configuration) as watching:
        deleted = 'sum(msr_relay_events_total{job="msr-relay",type="trust.deleted"})'
        (found,) = until(lambda: watching.query(deleted), "Prometheus has scraped it")
        assert found["value"][1] == "1"
        assert watching.query("msr_relay_ready")[0]["value"][1] == "1"
        (loaded,) = watching.get("/api/v1/rules")["data"]["groups"]
        assert len(loaded["rules"]) == 14
        (target,) = watching.get("/api/v1/targets")["data"]["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        relay.stop()
        until(lambda: watching.query('up{job="msr-relay"} == 0'), "Prometheus notices that it has stopped")


def _guide() -> str:
    return (DOCS / "how-to/watch-the-relay.md").read_text()
