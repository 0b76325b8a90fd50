"""Rows go to the driver in statements of several sizes: none is lost, and what is there stays."""

from relay.engine.evidence import drafts
from relay.model.event import Subject, SubjectKind
from relay.model.evidence import canonical
from relay.model.plan import Plan
from relay.store import Filter
from tests.store.conftest import OpenStore
from tests.store.things import CLEAN, HELL, NOW, event

GUN = 'msr.example.com/"ü\u2028\x7f\\/\t\U0001f525'


async def test_as_many_events_as_a_page_may_have_are_there_once_and_in_order(
    url: str, open_store: OpenStore
) -> None:
    store = open_store(url)
    some = tuple(event(f"evt_{number}") for number in range(0, 1113, 7))
    everything = tuple(event(f"evt_{number}", summary=HELL) for number in range(1113))
    await store.commit(Plan(at=NOW, events=some, unrouted=frozenset({"evt_7"})))
    await store.commit(Plan(at=NOW, events=everything))
    found = await store.list_events(Filter(limit=5000))
    assert sorted(each.id for _, _, each in found) == sorted(each.id for each in everything)
    assert [each.id for _, _, each in reversed(found)][: len(some)] == [each.id for each in some]
    assert [routed for _, routed, each in found if each.id == "evt_7"] == [False]
    assert {each.summary for _, _, each in found} == {event("").summary, CLEAN}


def test_a_record_in_the_evidence_is_written_in_the_canonical_form() -> None:
    details = {"version": 3, "record_id": "7", "sha256": "ab", "feed": "all", "examined": False}
    made = event(
        "evt_1", type="trust.updated", details=details, subject=Subject(SubjectKind.REPOSITORY, "a", GUN)
    )
    (draft,) = drafts([made])
    wanted = {name: details[name] for name in ("version", "record_id", "sha256", "feed")}
    body = {"event": "evt_1", "type": made.type, "gun": GUN, "happened_at": NOW.isoformat()}
    assert draft.body == canonical({**body, "details": wanted})
