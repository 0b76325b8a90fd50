"""The accounts can find fault: a summary that can only praise would prove nothing."""

from relay.demo import summary
from relay.demo.ledger import Due, Ledger, Received
from tests.support.clock import ManualClock

DUE = Due("trust.deleted", "event", "shop/web", ("terminal", "soc"))


def message(channel: str, text: str = "shop/web", *, verified: bool = True) -> Received:
    return Received(channel, "trust.deleted", "event", text, at=1.5, verified=verified)


def ledger() -> Ledger:
    made = Ledger(ManualClock())
    made.expect("somebody deletes", [DUE])
    return made


def test_told_once_to_everybody_is_right() -> None:
    made = ledger()
    made.take(message("terminal"))
    made.take(message("soc"))
    assert made.is_right


def test_what_one_channel_did_not_get_is_lost() -> None:
    made = ledger()
    made.take(message("terminal"))
    found = summary.document(made, 1)
    assert (found["ok"], found["lost"]) == (False, ["trust.deleted: shop/web to soc"])


def test_what_came_twice_is_doubled() -> None:
    made = ledger()
    for channel in ("terminal", "soc", "soc"):
        made.take(message(channel))
    found = summary.document(made, 1)
    assert (found["ok"], found["doubled"]) == (False, ["trust.deleted event to soc: shop/web"])


def test_what_nobody_did_or_nobody_should_hear_is_unexpected() -> None:
    made = ledger()
    for each in (message("terminal"), message("soc"), message("oncall"), message("soc", "shop/other")):
        made.take(each)
    found = summary.document(made, 1)
    assert (found["ok"], len(found["unexpected"])) == (False, 2)


def test_a_wrong_signature_is_not_right() -> None:
    made = ledger()
    made.take(message("terminal"))
    made.take(message("soc", verified=False))
    found = summary.document(made, 1)
    assert (found["ok"], found["verified"]["soc"], len(found["unverified"])) == (False, 0, 1)


async def test_a_scene_is_settled_only_when_everything_of_it_is_told() -> None:
    made = ledger()
    step = made.steps[0]
    assert not await made.settled(step, 0)
    made.take(message("terminal"))
    made.take(message("soc"))
    assert await made.settled(step, 0)
