"""Exports: each line is an entry that proves itself, and no byte of it can be changed unnoticed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.engine.evidence import Verdict, Verifier
from relay.engine.exports import FIELDS, line, read_line
from relay.model.evidence import Draft, Entry, Head, Kind, anchor_body, canonical, link

NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def chain(count: int, *, anchor_at: int = 0) -> list[Entry]:
    found: list[Entry] = []
    head = Head()
    for number in range(1, count + 1):
        kind, body = Kind.RECORD, canonical({"event": f"evt_{number}", "gun": "msr/ä\u2028\x7f"})
        if number == anchor_at:
            kind, body = Kind.ANCHOR, anchor_body(head)
        found.append(
            link(
                number,
                Draft(NOW + timedelta(minutes=number), kind, body, "prod", f"prod/{number}"),
                head.hash,
            )
        )
        head = Head(number, found[-1].hash)
    return found


def verdict(entries: list[Entry], *anchors: Head, gaps: bool = False) -> Verdict:
    verifier = Verifier((), anchors, gaps=gaps)
    verifier.take(entries)
    return verifier.finish_file()


@given(cluster=st.none() | TEXTS, kind=TEXTS, subject=TEXTS, body=TEXTS, signature=st.none() | TEXTS)
def test_an_entry_comes_back_as_it_was(
    cluster: str | None, kind: str, subject: str, body: str, signature: str | None
) -> None:
    entry = link(7, Draft(NOW, kind, body, cluster, subject, signature), "f" * 64)
    text = line(entry)
    assert text.isascii()
    assert "\n" not in text
    assert read_line(text) == entry
    assert read_line(text).intact


@given(TEXTS, st.integers(-(2**63), 2**63 - 1))
def test_the_hash_is_over_plain_json_that_anybody_can_write(text: str, at: int) -> None:
    """As the reference says: so that a third party can compute it without the relay."""
    from hashlib import sha256

    entry = Entry(3, at, None, text, text, canonical({"x": text}), text, "0" * 64, "")
    fields = [getattr(entry, name) for name in FIELDS[:-1]]
    listed = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    expected = sha256(b"msr-relay/evidence/entry/1\n" + listed.encode()).hexdigest()
    assert entry.digest() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seq,at",
        "[]",
        "null",
        "{}",
        '{"seq":1}',
        '{"seq":1,' * 5000,
        "[" * 100_000,
        json.dumps(dict.fromkeys(FIELDS, "1")),
        json.dumps({**dict.fromkeys(FIELDS, 1), "more": 1}),
        '{"seq":1,' + json.dumps(dict.fromkeys(FIELDS, 1))[1:],
        '{"seq":' + "9" * 10_000 + "}",
    ],
)
def test_what_is_no_entry_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(it|an|its) "):
        read_line(text)


def test_a_key_that_comes_twice_is_refused() -> None:
    """Other readers would believe the first of the two."""
    twice = line(chain(1)[0]).replace('{"seq":1,', '{"body":"all is well","seq":1,')
    with pytest.raises(ValueError, match="every key once"):
        read_line(twice)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_one_byte_anywhere_in_a_file_is_found(data: st.DataObject) -> None:
    entries = chain(5, anchor_at=3)
    raw = bytearray("".join(f"{line(each)}\n" for each in entries).encode())
    place = data.draw(st.integers(0, len(raw) - 1), label="place")
    raw[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[place]), label="byte")
    lines = raw.decode(errors="surrogateescape").split("\n")
    try:
        read = [read_line(text.strip()) for text in lines if text.strip()]
    except ValueError:
        return
    # Another way to write the same, such as \\u0041 for A, is no change.
    assert (verdict(read, Head(5, entries[4].hash)).broken is None) == (read == entries)


class TestPart:
    def test_what_stands_side_by_side_has_to_fit(self) -> None:
        entries = chain(9, anchor_at=6)
        for some in (entries[2:4], [entries[0], *entries[4:7]], entries[::2], entries[8:]):
            assert verdict(some, gaps=True).broken is None
            assert verdict(some, gaps=True).entries == len(some)

    def test_what_was_changed_is_found(self) -> None:
        entries = chain(9, anchor_at=6)
        entries[4] = replace(entries[4], subject="prod/other")
        found = verdict(entries[1::3], gaps=True)
        assert found.broken is not None
        assert found.broken.seq == 5

    def test_what_was_written_anew_is_found_beside_what_was_not(self) -> None:
        entries = chain(4)
        entries[2] = link(3, Draft(NOW, Kind.RECORD, "{}"), entries[1].hash)
        found = verdict([entries[0], *entries[2:]], gaps=True)
        assert found.broken is not None
        assert found.broken.seq == 4

    def test_an_anchor_of_another_chain_is_found(self) -> None:
        entries = chain(4, anchor_at=4)
        forged = link(4, Draft(NOW, Kind.ANCHOR, anchor_body(Head(3, "f" * 64))), entries[2].hash)
        found = verdict([entries[0], forged], gaps=True)
        assert found.broken is not None
        assert found.broken.seq == 4

    def test_the_order_counts(self) -> None:
        entries = chain(4)
        found = verdict([entries[2], entries[0]], gaps=True)
        assert found.broken is not None

    def test_given_anchors_are_compared_where_they_can_be(self) -> None:
        entries = chain(6)
        told = [Head(each.seq, each.hash) for each in entries]
        found = verdict(entries[::2], told[2], told[3], gaps=True)
        assert (found.anchored, found.unreached, found.broken) == (1, (told[3],), None)
        found = verdict(entries[::2], Head(3, "0" * 64), gaps=True)
        assert found.broken is not None

    def test_it_vouches_for_nothing_that_is_not_there(self) -> None:
        assert verdict(chain(6, anchor_at=4)[2:], gaps=True).signed_through == 0


def heads(entries: list[Entry], *numbers: int) -> list[Head]:
    return [Head(entries[number - 1].seq, entries[number - 1].hash) for number in numbers]


class TestSure:
    """Up to where it holds, where something contradicts it."""

    def sure(self, entries: list[Entry], *anchors: Head) -> int:
        verifier: Any = Verifier((), anchors)
        verifier.take(entries)
        verifier.finish_file()
        return int(verifier.sure_through())

    def test_up_to_what_was_changed(self) -> None:
        entries = chain(6)
        assert self.sure(entries) == 6
        entries[3] = replace(entries[3], body="{}")
        assert self.sure(entries) == 3

    def test_only_up_to_the_last_anchor_that_fits_where_another_does_not(self) -> None:
        entries = chain(8)
        assert self.sure(entries, *heads(entries, 2, 4), Head(6, "0" * 64)) == 4
        assert self.sure(entries, Head(6, "0" * 64)) == 0
