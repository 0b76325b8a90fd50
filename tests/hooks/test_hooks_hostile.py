"""Whatever is posted: a report that can be kept, or the error that says why not; and it is kept as it was."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.engine.planning import event_of
from relay.engine.policy import Policy
from relay.hooks import Hook, UnreadableError, read, unreadable
from relay.model.catalogue import CATALOGUE
from relay.model.event import Event
from relay.model.text import storable_tree
from relay.msr.text import one_line
from tests.engine.things import Engine
from tests.hooks.posts import ALERTS, MSR, NOW, alert, body, group, posted

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["\0", "\ud800", "\x1b[2J", "\u202e", "x" * 5000]),
)
TYPES = sorted(name.removeprefix("msr.").upper() for name in CATALOGUE if name.startswith("msr."))
TREE = st.recursive(
    ODD,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=8), below, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["namespace", "repository", "tag", "digest", "author", "scanSummary", "error", "data", "db_version"]
)
PARTS = st.sampled_from(
    ["status", "labels", "annotations", "startsAt", "endsAt", "fingerprint", "generatorURL"]
)


def keepable(hook: Hook, sent: bytes) -> None:
    try:
        report = read(hook, sent, NOW)
    except UnreadableError as error:
        report = unreadable(hook, str(error), sent, NOW)
    events = [event_of(fact, report, Policy()) for fact in report.facts]
    events += Engine().take(report).events
    for event in events:
        CATALOGUE[event.type].details.model_validate(event.details)
        assert len(event.summary) < 2000
        assert one_line(event.summary, 2000) == event.summary
        written = event.to_json()
        kept = json.loads(written)
        assert storable_tree(kept) == kept
        assert Event.from_json(written) == event


@pytest.mark.parametrize("hook", [MSR, ALERTS])
@given(sent=st.binary(max_size=200))
def test_any_bytes(hook: Hook, sent: bytes) -> None:
    keepable(hook, sent)


@pytest.mark.parametrize("hook", [MSR, ALERTS])
@given(document=TREE)
def test_any_json(hook: Hook, document: Any) -> None:
    keepable(hook, body(document))


@given(
    msr_type=st.sampled_from(TYPES) | st.text(max_size=20),
    contents=st.dictionaries(KEYS, TREE),
    more=st.dictionaries(st.sampled_from(["createdAt", "location", "msrVersion"]), ODD),
)
def test_any_contents_of_msr(msr_type: str, contents: Any, more: dict[str, Any]) -> None:
    keepable(MSR, body(posted(msr_type, contents, **more)))


@given(
    parts=st.lists(st.dictionaries(PARTS, TREE), max_size=3),
    more=st.dictionaries(st.text(max_size=8), ODD),
)
def test_any_alerts_of_alertmanager(parts: list[dict[str, Any]], more: dict[str, Any]) -> None:
    keepable(ALERTS, body({**group(*(alert() | each for each in parts)), **more}))
