"""A silence that is made and ended by command while a relay runs."""

from tests.acceptance.conftest import MakeCluster, MakeRelay
from tests.acceptance.relay import until
from tests.acceptance.told import told, wait_for, webhook
from tests.cli.conftest import Shell
from tests.real.webhooks import Receiver


def test_what_a_silence_holds_back_of_an_alert_is_told_when_it_is_ended(
    make_cluster: MakeCluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    cluster = make_cluster("r1", "r2", "r3")
    watched = cluster.settings(watch={"ping": "200ms"})
    relay = make_relay({"clusters": [watched], "channels": [webhook(webhooks, "soc")]})
    relay.start()
    shell = Shell(relay.folder)
    made = shell.run("silences", "add", "--cluster", "prod", "--for", "2h", "--comment", "patching", "--json")
    assert made.status == 0, made
    cluster.do(lambda imitation: imitation.fail_replica("r2", "storage"))
    (held,) = until(
        lambda: shell.run("deliveries", "--state", "silenced", "--json").json, "the alert is silenced"
    )
    (alert,) = shell.run("alerts", "--json").json
    assert (alert["state"], alert["silenced_by"]) == ("firing", made.json["id"])
    assert made.json["id"] in held["note"]
    assert told(webhooks) == []
    assert shell.run("silences", "expire", made.json["id"]).status == 0
    (message,) = wait_for(webhooks, alert["type"], "firing")
    assert (message.delivery, message.data["id"]) == (held["id"], alert["id"])
    assert shell.run("alerts", "--json").json[0]["silenced_by"] is None
