"""Where the bars of a chart lie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.server.pages.charts import HEIGHT, WIDTH, Bar, Row, ceiling, latency, rate
from tests.store.things import NOW

ROWS = st.lists(
    st.builds(
        Row,
        at=st.just(NOW),
        sent=st.integers(0, 10**7),
        dead=st.integers(0, 10**7),
        failed=st.just(0),
        p50=st.none() | st.floats(0, 10**5),
        p95=st.none() | st.floats(0, 10**5),
    ),
    min_size=1,
    max_size=60,
)


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (1.5, 2), (3, 5), (6, 10), (101, 200), (0.03, 0.05)]
)
def test_an_axis_ends_at_a_round_figure(value: float, top: float) -> None:
    assert ceiling(value) == pytest.approx(top)


def test_what_is_twice_as_much_is_twice_as_high() -> None:
    rows = [Row(NOW, sent, 0, 0, None, None) for sent in (0, 50, 100)]
    found = rate(rows)
    assert found.top == 100
    assert [(each.height, each.y) for each in found.sent] == [(60, 60), (120, 0)]
    assert found.dead == ()


@given(ROWS)
def test_nothing_lies_outside_of_the_chart(rows: list[Row]) -> None:
    bars: list[Bar] = [*rate(rows).sent, *rate(rows).dead, *latency(rows).p95, *latency(rows).p50]
    for bar in bars:
        assert bar.x >= 0
        assert bar.width > 0
        assert bar.x + bar.width <= WIDTH + 0.2
        assert bar.y >= 0
        assert bar.y + bar.height <= HEIGHT + 3.5
