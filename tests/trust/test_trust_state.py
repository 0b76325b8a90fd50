"""What is kept, and what two of them differ in."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.trust import Changes, Listed, State, Tag, changes, listing
from relay.trust.compare import Moved, Regressed, Rotated, Signer, Threshold
from relay.trust.state import BASE_ROLES, Keys

NOON = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
KEYS = {"root": "r", "snapshot": "s", "targets": "t", "timestamp": "m", "targets/a": "a", "targets/b": "b"}
SIGNED = [*BASE_ROLES, "targets/a"]

STATE = State(
    sha256="0" * 64,
    versions=dict.fromkeys(SIGNED, 3),
    expires=dict.fromkeys(SIGNED, NOON),
    hashes={role: key * 64 for role, key in zip(SIGNED, "0123456", strict=False)},
    tags={
        "targets": {"2": Tag("22", 2), "1": Tag("11", 1)},
        "targets/a": {"3": Tag("33", 3), "1": Tag("aa", 9)},
    },
    roles={role: Keys((key,), 1) for role, key in KEYS.items()},
    public_keys=dict.fromkeys(KEYS.values(), ("ecdsa", "AAAA")),
    signers={role: (KEYS[role],) for role in SIGNED},
    certificates={"r": NOON},
)


def test_it_is_kept_as_it_is() -> None:
    text = STATE.write()
    assert State.read(text) == STATE
    # Also the order, in which a tag is looked for.
    assert State.read(text).write() == text
    assert list(State.read(text).tags) == ["targets", "targets/a"]
    assert " " not in text
    assert json.loads(text)["format"] == 1


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "{}", '"x"', "[" * 100_000, '{"format":1}', "\ud800"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no state of trust data"):
        State.read(text)


@pytest.mark.parametrize(
    "field", [each.name for each in fields(State) if each.name not in {"unsigned", "format"}]
)
@pytest.mark.parametrize("value", [None, 7, "x", [], {"root": None}, {"root": 1, "x": "y"}])
def test_a_part_that_is_wrong_is_refused(field: str, value: object) -> None:
    document = json.loads(STATE.write()) | {field: value}
    if (field, value) == ("sha256", "x"):
        return
    with pytest.raises(ValueError, match="state of trust data"):
        State.read(json.dumps(document))


@pytest.mark.parametrize("field", ["versions", "expires", "hashes", "tags", "signers", "public_keys"])
def test_a_part_that_does_not_fit_the_others_is_refused(field: str) -> None:
    document = json.loads(STATE.write())
    document[field].popitem()
    with pytest.raises(ValueError, match="do not fit together"):
        State.read(json.dumps(document))


def test_another_format_is_refused() -> None:
    document = json.loads(STATE.write()) | {"format": 2}
    with pytest.raises(ValueError, match="format 2; this release knows 1"):
        State.read(json.dumps(document))


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_any_character_changed_is_refused_or_read(data: st.DataObject) -> None:
    text = STATE.write()
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.text(max_size=2)) + text[place + 1 :]
    try:
        found = State.read(changed)
    except ValueError:
        return
    assert changes(found, found) == Changes()
    assert listing(found)


def test_a_name_in_two_roles_is_listed_once() -> None:
    assert listing(STATE) == [
        Listed("1", "targets", "11", 1),
        Listed("2", "targets", "22", 2),
        Listed("3", "targets/a", "33", 3),
    ]


def test_the_same() -> None:
    assert not changes(STATE, STATE)


def test_everything_that_can_change_in_order() -> None:
    after = replace(
        STATE,
        versions=STATE.versions | {"targets": 2, "root": 1, "snapshot": 9},
        tags={
            "targets/a": {"3": Tag("44", 4), "0": Tag("00", 0)},
            "targets": {"9": Tag("99", 9), "2": Tag("22", 2), "1": Tag("11", 5)},
        },
        roles={
            **STATE.roles,
            "root": Keys(("r", "x"), 2),
            "timestamp": Keys(("n",), 1),
            "targets/a": Keys(("a", "x"), 1),
            "targets/c": Keys(("x",), 1),
            "targets/b": Keys((), 1),
        },
        unsigned=("targets/b",),
    )
    found = changes(STATE, after)
    assert found == Changes(
        tags_added=(Listed("0", "targets/a", "00", 0), Listed("9", "targets", "99", 9)),
        tags_removed=(Listed("1", "targets/a", "aa", 9),),
        tags_moved=(
            Moved(Listed("1", "targets", "11", 1), Listed("1", "targets", "11", 5)),
            Moved(Listed("3", "targets/a", "33", 3), Listed("3", "targets/a", "44", 4)),
        ),
        signers_added=(Signer("targets/a", ("x",), 1), Signer("targets/c", ("x",), 1)),
        signers_removed=(Signer("targets/b", ("b",), 1),),
        rotated=(Rotated("root", ("x",), ()), Rotated("timestamp", ("n",), ("m",))),
        regressed=(Regressed("root", 3, 1), Regressed("targets", 3, 2)),
        thresholds=(Threshold("root", 1, 2),),
        unsigned=("targets/b",),
    )
    assert found
    back = changes(after, STATE)
    assert back.tags_added == found.tags_removed
    assert back.tags_removed == found.tags_added
    assert back.signers_removed == found.signers_added
    assert [each.before for each in back.tags_moved] == [each.now for each in found.tags_moved]
