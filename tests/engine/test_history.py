"""What the evidence says, for people: also of what this release does not know, and after tampering."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.engine.evidence import Verifier
from relay.engine.history import Historian, History, SignedTag, signers_of, tags_of, what, words
from relay.model.evidence import Draft, Entry, Head, Kind, anchor_body, canonical, link

NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def record(kind: str = "trust.deleted", gun: str = "msr.example.com/prod/app", **details: Any) -> str:
    happened = (NOW - timedelta(minutes=1)).isoformat()
    return canonical(
        {"event": "evt_1", "type": kind, "gun": gun, "happened_at": happened, "details": details}
    )


def snapshot(**content: Any) -> str:
    return canonical({"gun": "msr.example.com/prod/app", "event": "evt_1", **content})


def entry(body: str, kind: str = Kind.RECORD, subject: str = "prod/app") -> Entry:
    return link(1, Draft(NOW, kind, body, "prod", subject), "0" * 64)


def chain(*bodies: tuple[str, str, str, str]) -> list[Entry]:
    """Of kind, cluster, subject and body."""
    found: list[Entry] = []
    for number, (kind, cluster, subject, body) in enumerate(bodies, 1):
        prev = found[-1].hash if found else "0" * 64
        at = NOW + timedelta(minutes=number)
        found.append(link(number, Draft(at, kind, body, cluster, subject), prev))
    return found


def history(
    entries: list[Entry], repository: str = "prod/app", cluster: str | None = None, most: int = 100
) -> History | None:
    historian = Historian(repository, cluster, Verifier(), most)
    historian.take(entries)
    last = entries[-1]
    return historian.finish(Head(last.seq, last.hash))


@pytest.mark.parametrize(
    ("found", "word", "said"),
    [
        (entry(record()), "deleted", "trust data deleted"),
        (entry(record("trust.updated", version=3)), "updated", "trust data updated to version 3"),
        (
            entry(record("trust.unreadable", reason="no GUN")),
            "unreadable",
            "a record that cannot be read: no GUN",
        ),
        (entry(record("trust.other")), "record", "trust.other"),
        (entry(anchor_body(Head(4, "0" * 64)), "anchor", "soc"), "anchor", "entry 4 was told to soc"),
        (entry('{"count":9}', "checkpoint", ""), "checkpoint", "stands for 9 entries that were pruned"),
        (entry(snapshot(tags={})), "record", "record"),
        (entry(snapshot(tags={}), "snapshot"), "snapshot", "trust data examined: 0 signed tags"),
        (
            entry(snapshot(verified=False, why="expired"), "snapshot"),
            "snapshot",
            "trust data that does not verify: expired",
        ),
        (entry("no json", "snapshot"), "snapshot", "trust data examined: 0 signed tags"),
        (entry("[]", "something new"), "something new", "something new"),
    ],
)
def test_in_a_few_words(found: Entry, word: str, said: str) -> None:
    assert (what(found), words(found)) == (word, said)


def test_the_tags_of_a_snapshot() -> None:
    content = {
        "tags": {
            "targets": {"1.0": {"sha256": "aa", "length": 3}, "2.0": ["bb", 4]},
            "targets/dev": {"1.0": "cc", "odd": 7},
        },
        "signers": {"targets": ["k1", "k2"], "root": "k3"},
    }
    assert tags_of(content) == (
        SignedTag("1.0", "targets", "aa", 3),
        SignedTag("1.0", "targets/dev", "cc", None),
        SignedTag("2.0", "targets", "bb", 4),
        SignedTag("odd", "targets/dev", "7", None),
    )
    assert [(each.role, each.keys) for each in signers_of(content)] == [
        ("targets", ("k1", "k2")),
        ("root", ("k3",)),
    ]


@given(body=JSON, kind=st.sampled_from([*Kind, "new"]))
def test_no_body_is_too_odd(body: Any, kind: str) -> None:
    for made in (body, {"tags": body, "signers": body, "details": body, "happened_at": body, "type": body}):
        found = history([entry(canonical(made), kind), entry(canonical(made), Kind.RECORD)])
        assert found is not None
        for said in found.said:
            assert isinstance(said.words, str)
            assert all(isinstance(value, str) for _, value in said.facts)


def test_a_repositorys_history() -> None:
    entries = chain(
        ("record", "prod", "prod/app", record("trust.updated", version=1)),
        ("record", "prod", "prod/db", record(gun="msr.example.com/prod/db")),
        ("snapshot", "prod", "prod/app", snapshot(tags={"targets": {"1.0": ["aa", 1]}})),
        ("record", "lab", "prod/app", record()),
        ("record", "prod", "prod/app", record()),
    )
    found = history(entries)
    assert found is not None
    assert [said.entry.seq for said in found.said] == [1, 3, 4, 5]
    assert [said.entry.seq for said in found.deletions] == [4, 5]
    assert found.counts == {"updated": 1, "snapshot": 1, "deleted": 2}
    assert found.clusters == ("lab", "prod")
    assert (found.first_at, found.last_at) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=5))
    assert found.said[0].happened_at == NOW - timedelta(minutes=1)
    assert found.verdict.broken is None
    assert all(said.proven for said in found.said)
    one = history(entries, cluster="lab")
    assert one is not None
    assert [said.entry.seq for said in one.said] == [4]
    by_gun = history(entries, "msr.example.com/prod/db")
    assert by_gun is not None
    assert [said.entry.seq for said in by_gun.said] == [2]
    assert history(entries, "prod/none") is None


def test_only_the_latest_are_listed_and_all_are_counted() -> None:
    deleted = [("record", "prod", "prod/app", record()) for _ in range(7)]
    found = history(chain(*deleted), most=3)
    assert found is not None
    assert ([said.entry.seq for said in found.said], found.omitted) == ([5, 6, 7], 4)
    assert found.counts == {"deleted": 7}
    assert found.first_at == NOW + timedelta(minutes=1)


def test_what_comes_after_a_break_is_shown_and_not_proven() -> None:
    entries = chain(*(("record", "prod", "prod/app", record()) for _ in range(5)))
    entries[2] = replace(entries[2], cluster="lab")
    found = history(entries)
    assert found is not None
    assert [said.proven for said in found.said] == [True, True, False, False, False]
    assert found.verdict.broken is not None
    assert found.verdict.broken.seq == 3
