"""What people say of alerts: silences and acknowledgements; and the groups that alerts are told in."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

from relay.model.plan import Group, Plan
from relay.model.silence import Acknowledgement, Silence
from relay.store import Deed, Store
from tests.store.things import CLEAN, HELL, NOW, delivery, later, plan_of

HOUR = later(3600)
DEED = Deed(NOW, "alice", "silence", "sil_1", "upgrade")


def silence(name: str, ends_at: datetime = HOUR, **fields: Any) -> Silence:
    given: dict[str, Any] = {
        "matchers": {"type": ["replica.*"], "severity": ">= warning", "labels": {"team": "a"}, "not": None},
        "starts_at": NOW,
        "author": "alice",
        "comment": "upgrade",
        "created_at": NOW,
    }
    return Silence(id=name, ends_at=ends_at, **(given | fields))


async def deeds(store: Store) -> list[tuple[str, str]]:
    return [(deed["who"], deed["action"]) for deed in await store.list_deeds()]


async def test_a_silence_comes_back_whole(store: Store) -> None:
    weekly = ({"weekdays": ["saturday"], "times": [{"start": "22:00", "end": "24:00"}]}, {"years": [2026]})
    plain, recurring = silence("sil_1"), silence("sil_2", later(7200), intervals=weekly)
    await store.save_silence(plain, DEED)
    await store.save_silence(recurring, replace(DEED, who="bob"))
    assert await store.silences(NOW) == [plain, recurring]
    assert await deeds(store) == [("bob", "silence"), ("alice", "silence")]


async def test_a_silence_is_ended_and_kept_while_it_is_of_interest(store: Store) -> None:
    first, second = silence("sil_1"), silence("sil_2", later(60))
    for each in (first, second):
        await store.save_silence(each, DEED)
    assert await store.silences(NOW) == [second, first]
    ended = replace(first, ends_at=later(5))
    await store.save_silence(ended, replace(DEED, action="expire"))
    assert await store.silences(later(5)) == [ended, second]
    assert await store.silences(later(6)) == [second]
    assert await store.silences(later(61)) == []


async def test_a_later_acknowledgement_takes_the_place_of_an_earlier_one(store: Store) -> None:
    first = Acknowledgement("alr_1", "alice", NOW, "on it", later(3600), "link")
    other = Acknowledgement("evt_1", "bob", later(1))
    await store.acknowledge(first, DEED)
    await store.acknowledge(other, DEED)
    assert await store.acknowledgements() == [other, first]
    second = Acknowledgement("alr_1", "carol", later(2))
    await store.acknowledge(second, replace(DEED, who="carol"))
    assert await store.acknowledgements() == [second, other]
    assert (await deeds(store))[0] == ("carol", "silence")
    await store.unacknowledge("alr_1", replace(DEED, who="dave"))
    assert await store.acknowledgements() == [other]
    # What is not there is not taken back, but somebody wanted it.
    await store.unacknowledge("alr_1", replace(DEED, who="eve"))
    assert await store.acknowledgements() == [other]
    assert [who for who, _ in await deeds(store)][:2] == ["eve", "dave"]


async def test_what_is_said_together_is_kept_in_its_order(store: Store) -> None:
    """All of it goes into one transaction."""
    said = [Acknowledgement("alr_1", name, later(n)) for n, name in enumerate("abc")]
    await asyncio.gather(
        *(store.acknowledge(each, replace(DEED, who=each.by)) for each in said),
        store.unacknowledge("alr_1", replace(DEED, who="d")),
        store.acknowledge(said[1], replace(DEED, who="e")),
        *(store.save_silence(silence("sil_1", later(n)), DEED) for n in (5, 6)),
    )
    assert await store.acknowledgements() == [said[1]]
    assert [who for who, _ in await deeds(store)] == ["alice", "alice", "e", "d", "c", "b", "a"]
    assert await store.silences(NOW) == [silence("sil_1", later(6))]


async def test_words_from_hell(store: Store) -> None:
    bad = silence(
        HELL, matchers={HELL: [HELL, {"deep": HELL}]}, author=HELL, comment=HELL, intervals=({HELL: HELL},)
    )
    await store.save_silence(bad, Deed(NOW, HELL, HELL, HELL, HELL))
    clean = replace(
        bad,
        id=CLEAN,
        matchers={CLEAN: [CLEAN, {"deep": CLEAN}]},
        author=CLEAN,
        comment=CLEAN,
        intervals=({CLEAN: CLEAN},),
    )
    assert await store.silences(NOW) == [clean]
    # It is the same one, under either name.
    await store.save_silence(replace(bad, comment="second"), DEED)
    assert await store.silences(NOW) == [replace(clean, comment="second")]
    await store.acknowledge(Acknowledgement(HELL, HELL, NOW, HELL, None, HELL), DEED)
    assert await store.acknowledgements() == [Acknowledgement(CLEAN, CLEAN, NOW, CLEAN, None, CLEAN)]
    await store.unacknowledge(HELL, DEED)
    assert await store.acknowledgements() == []


async def test_groups_are_remembered_with_what_they_gather(store: Store) -> None:
    first, second = Group("grp_1", "key_a", NOW, later(30)), Group("grp_2", "key_b", NOW, later(10))
    gathered = delivery("dlv_1", thread="grp_1", gathered=True, group={"cluster": "prod"}, due_at=later(30))
    await store.commit(replace(plan_of(gathered), groups=(first, second)))
    assert await store.groups(NOW) == [second, first]
    assert await store.groups(later(11)) == [first]
    told_again = replace(first, due_at=later(60))
    await store.commit(Plan(at=later(40), groups=(told_again,)))
    assert await store.groups(later(30)) == [told_again]
