"""One trace from the look that saw an event to every attempt to tell it, over kills and restarts."""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relay.app.insight import Insight
from relay.model.errors import ConfigError
from relay.model.steps import Step
from relay.settings import Settings
from tests.acceptance.conftest import MakeRelay
from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import until
from tests.acceptance.test_metrics import settings
from tests.real.fixtures import MakeReceiver
from tests.real.loops import LoopThread
from tests.real.otlp import OtlpReceiver, Span
from tests.real.webhooks import Answer
from tests.support.clock import ManualClock

DELETED = "trust.deleted"


@pytest.fixture
def otlp(loop_thread: LoopThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    """A receiver of spans, which are sent at once."""
    made = OtlpReceiver(loop_thread)
    yield made
    made.stop()


def traced(otlp: OtlpReceiver, **more: Any) -> dict[str, Any]:
    headers = {"Authorization": "Bearer otlp-s3cret"}
    return {"telemetry": {"otlp_endpoint": otlp.url, "otlp_headers": headers}, **more}


def test_a_trace_goes_from_the_look_to_the_receiver_across_processes(
    cluster: Cluster, make_receiver: MakeReceiver, make_relay: MakeRelay, otlp: OtlpReceiver
) -> None:
    receiver = make_receiver()
    relay = make_relay(settings(cluster, receiver, **traced(otlp)))
    receiver.script(Answer(503))
    cluster.delete("prod/app")
    relay.start()
    receiver.requests.wait(1)
    # The first process tells what it has seen and tried when it stops; another one goes on.
    assert relay.stop() == 0
    event = told_event(receiver.requests.items[0].body)
    before = of_event(otlp, event)
    assert [span.name for span in before] == ["look changefeed", "intake", "deliver webhook"]
    relay.start()
    done = otlp_after_stop(relay, receiver, otlp, event)

    look, intake, failed, *rest = done
    delivered = rest[-1]
    assert {span.trace for span in done} == {hashlib.sha256(event.encode()).hexdigest()[:32]}
    assert look.parent == ""
    assert {span.parent for span in done[1:]} == {look.id}
    assert look.start <= intake.start <= intake.end <= failed.end <= delivered.end
    assert len({span.id for span in done}) == len(done)
    assert (failed.error, delivered.error) == (True, False)
    assert delivered.attributes["msr_relay.state"] == "delivered"
    assert look.attributes["msr_relay.subject"] == "prod/app"
    assert intake.attributes["msr_relay.deliveries"] == [delivered.attributes["msr_relay.delivery.id"]]
    assert look.resource["service.name"] == "msr-relay"
    # The receiver can go on with it.
    about = [each for each in receiver.requests.items if told_event(each.body) == event]
    assert about[0].headers["traceparent"] == f"00-{look.trace}-{failed.id}-01"
    assert about[-1].headers["traceparent"] == f"00-{look.trace}-{delivered.id}-01"
    assert otlp.headers[0]["Authorization"] == "Bearer otlp-s3cret"
    assert "otlp-s3cret" not in relay.log()


def told_event(body: bytes) -> str:
    return str(json.loads(body)["data"]["id"])


def of_event(otlp: OtlpReceiver, event: str) -> list[Span]:
    """The spans of an event's trace, in the order in which they ended."""
    trace = hashlib.sha256(event.encode()).hexdigest()[:32]
    order = ("look", "intake", "deliver")
    found = [span for span in otlp.spans.items if span.trace == trace]
    return sorted(found, key=lambda span: (order.index(span.name.split()[0]), span.end))


def otlp_after_stop(relay: Any, receiver: Any, otlp: OtlpReceiver, event: str) -> list[Span]:
    """Let everything be delivered, stop the relay, and return the event's spans."""
    until(
        lambda: (
            relay.rows("SELECT count(*) FROM deliveries WHERE state = 'delivered'")[0][0] >= 2
            and not relay.rows("SELECT 1 FROM deliveries WHERE state = 'pending'")
        ),
        "all is delivered",
    )
    assert relay.stop() == 0
    return of_event(otlp, event)


def test_a_kill_between_seeing_and_telling_leaves_one_trace(
    cluster: Cluster, make_receiver: MakeReceiver, make_relay: MakeRelay, otlp: OtlpReceiver
) -> None:
    receiver = make_receiver()
    relay = make_relay(settings(cluster, receiver, **traced(otlp)))
    cluster.delete("prod/app")
    relay.start(stop_at=Step.CLAIMED, wait=False)
    assert relay.wait() == -signal.SIGKILL
    assert len(otlp.spans) == 0, "what was seen could not be exported any more"
    relay.start()
    receiver.requests.wait(2)
    event = told_event(receiver.requests.items[-1].body)
    done = otlp_after_stop(relay, receiver, otlp, event)
    (attempt,) = done
    trace = hashlib.sha256(event.encode()).hexdigest()
    assert (attempt.trace, attempt.parent) == (trace[:32], trace[32:48])


def test_a_receiver_of_spans_that_is_gone_holds_nothing_up(
    cluster: Cluster, make_receiver: MakeReceiver, make_relay: MakeRelay, otlp: OtlpReceiver
) -> None:
    receiver = make_receiver()
    given = traced(otlp)
    otlp.stop()
    relay = make_relay(settings(cluster, receiver, **given))
    relay.start()
    cluster.delete("prod/app")
    receiver.requests.wait(2)
    assert relay.stop() == 0
    assert "otlp-s3cret" not in relay.log()


def test_without_the_setting_nothing_is_traced(
    cluster: Cluster, make_receiver: MakeReceiver, make_relay: MakeRelay
) -> None:
    receiver = make_receiver()
    cluster.delete("prod/app")
    relay = make_relay(settings(cluster, receiver))
    relay.start()
    receiver.requests.wait(1)
    assert "traceparent" not in receiver.requests.items[0].headers


def test_without_the_extra_the_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "relay.app.tracing"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    given = Settings.model_validate({"telemetry": {"otlp_endpoint": "http://127.0.0.1:4318"}})
    with pytest.raises(ConfigError, match=r"traces need OpenTelemetry; pip install 'msr-relay\[otel\]'"):
        Insight(given, ManualClock())


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "ftp://x", "http://ann:secret@x", "http://x?a=b"])
def test_an_endpoint_is_a_url_without_secrets(endpoint: str) -> None:
    with pytest.raises(ValueError, match="must") as raised:
        Settings.model_validate({"telemetry": {"otlp_endpoint": endpoint}})
    assert "secret@" not in str(raised.value)


def test_tracing_is_loaded_only_where_it_is_configured(tmp_path: Path) -> None:
    code = "import relay.app.app, sys; print([n for n in sys.modules if n.startswith('opentelemetry')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "[]\n"
