"""What becomes evidence of a record: a body in the canonical form, whatever texts the record has."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from relay.engine.evidence import drafts
from relay.engine.planning import event_of
from relay.engine.policy import Policy
from relay.model.evidence import canonical
from relay.model.observation import Report, Watch
from relay.msr import Category, Record
from relay.watch.reading import fact_of

NOW = datetime(2026, 11, 25, 19, 30, tzinfo=UTC)
texts = st.text(max_size=20)


@given(
    gun=texts,
    id=texts,
    sha256=texts,
    version=st.integers(-(2**31), 2**31),
    category=st.sampled_from(Category),
    microsecond=st.integers(0, 999_999),
)
def test_a_records_body_is_canonical(
    gun: str, id: str, sha256: str, version: int, category: Category, microsecond: int
) -> None:
    record = Record(id, NOW.replace(microsecond=microsecond), gun, version, sha256, category)
    report = Report(Watch("prod", "changefeed"), NOW, ())
    event = event_of(fact_of(record, "all", "msr.example.com", NOW), report, Policy())
    (draft,) = drafts([event])
    assert draft.body == canonical(json.loads(draft.body))
