"""The log has a line for each decision worth knowing, with the ids by which to follow it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from relay.engine.orders import ORDERS
from tests.acceptance.imitated import Cluster
from tests.acceptance.in_process import running
from tests.acceptance.test_metrics import settings
from tests.real.fixtures import MakeReceiver
from tests.real.webhooks import Answer


async def test_an_event_can_be_followed_to_its_receiver(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    receiver = make_receiver()
    receiver.script(Answer(503))
    cluster.delete("prod/app")
    with capture_logs() as lines:
        async with running(tmp_path, settings(cluster, receiver)) as relay:
            await relay.until(lambda: len(receiver.requests) >= 3, "both records were told")
            await relay.breathe()
    (seen,) = [line for line in lines if line.get("type") == "trust.deleted"]
    assert (seen["log_level"], seen["routed"], seen["rules"], seen["channels"]) == (
        "info", True, ["all"], ["hook"],
    )  # fmt: skip
    (delivery,) = seen["deliveries"]
    about = [line for line in lines if line.get("delivery") == delivery]
    (done,) = [line for line in about if line["event"] == "delivery delivered"]
    assert (done["events"], done["channel"], done["rule"]) == ([seen["event_id"]], "hook", "all")
    (again,) = [line for line in lines if line["event"] == "delivery will be tried again"]
    assert (again["log_level"], again["attempt"]) == ("warning", 1)
    assert "503" in again["error"]
    assert datetime.fromisoformat(again["again_at"]) > relay.app._since


async def test_an_alert_is_followed_by_its_id_and_what_holds_it_back_is_told_once(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    receiver = make_receiver()
    given = settings(cluster, receiver)
    given["clusters"] = [cluster.settings(watch={"ping": "1s"})]
    with capture_logs() as lines:
        async with running(tmp_path, given) as relay:
            kind, now = ORDERS["silence"], relay.clock.now()
            order: dict[str, Any] = {"by": "ann", "comment": "maintenance", "match": {"type": "*"}}
            order |= {"starts_at": now, "ends_at": now + timedelta(hours=1)}
            await kind.do(relay.app._operator(), kind.model.model_validate(order))
            cluster.stop()
            await relay.until(
                lambda: [line for line in lines if line["event"] == "delivery silenced"], "it was held back"
            )
            await relay.advance(180, step=2)
            cluster.start()
            await relay.until(
                lambda: [line for line in lines if line.get("status") == "resolved"], "the alert is over"
            )
    fired = {line["alert"] for line in lines if line.get("status") == "firing"}
    over = {line["alert"] for line in lines if line.get("status") == "resolved"}
    assert over
    assert over <= fired
    silenced = [line["delivery"] for line in lines if line["event"] == "delivery silenced"]
    assert len(silenced) == len(set(silenced)), "looking again is no news"
    why = {line["why"] for line in lines if line["event"] == "delivery silenced"}
    assert why
    assert all(each.endswith(": maintenance") for each in why)


async def test_what_no_rule_takes_is_told_as_such(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    given = settings(cluster, make_receiver())
    given["rules"] = [{"name": "pings", "match": {"type": "ping.*"}, "channels": ["hook"]}]
    cluster.delete("prod/app")
    with capture_logs() as lines:
        async with running(tmp_path, given) as relay:
            await relay.until(
                lambda: [line for line in lines if line.get("type") == "trust.deleted"], "it was seen"
            )
    (seen,) = [line for line in lines if line.get("type") == "trust.deleted"]
    assert (seen["routed"], seen["rules"], seen["deliveries"]) == (False, [], [])
