"""`when:` expressions."""

from dataclasses import replace

import pytest

from relay.model.samples import sample
from relay.render import ExpressionError, expression
from tests.render.helpers import flapping

DELETED = replace(sample("trust.deleted"), labels={"team": "a"})


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("cluster != 'lab'", True),
        ("severity >= 'warning'", True),
        ("'warning' <= severity", True),
        ("severity < 'critical'", False),
        ("severity == 'critical'", True),
        ("repository == 'prod/app' and namespace == 'prod' and name == 'app'", True),
        ("gun.startswith('msr.example.com/')", True),
        ("type in ['trust.deleted', 'trust.updated']", True),
        ("labels.team == 'a' and labels.get('other') is none", True),
        ("details.version == 0", True),
        ("not flapping", True),
        ("replica", False),
        ("status == 'event' and event.subject.kind == 'repository'", True),
        ("summary | upper | length > 10", True),
        ("2 * 3 == 6 and 7 % 4 == 3", True),
    ],
)
def test_it_tells_whether_it_holds(source: str, holds: bool) -> None:
    assert expression(source)(DELETED) is holds


def test_names_for_other_subjects() -> None:
    assert expression("flapping and details.flaps.changes > 6")(flapping("replica.stale"))
    assert expression("replica == 'f2277ad178f7' and repository == '' and gun == ''")(sample("replica.stale"))
    assert expression("cluster == ''")(sample("store.failing"))
    plain = replace(DELETED, subject=replace(DELETED.subject, name="app"))
    assert expression("namespace == '' and name == 'app'")(plain)


@pytest.mark.parametrize(
    ("source", "column", "message"),
    [
        ("cluser == 'lab'", 1, "'cluser' is undefined; did you mean 'cluster'?"),
        ("cluster == 'a' and severty", 20, "'severty' is undefined; did you mean 'severity'?"),
        ("a b", 3, "this is more than one expression"),
        ("cluster ==", 11, "unexpected 'end of template'"),
        ("cluster == ) 'x'", 12, "unexpected ')'"),
        ("cluster ? 1", 9, "unexpected char '?' at 8"),
        ("", 1, "unexpected 'end of template'"),
        ("(" * 1000, None, "too deep or too large"),
        ("'" + "a" * 2000 + "'", None, "longer than 2000 characters"),
    ],
)
def test_mistakes_are_found_when_it_is_compiled(source: str, column: int | None, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expression(source)
    assert (caught.value.column, caught.value.message) == (column, message)
    assert column is None or f"at column {column}: {message}" in str(caught.value)


@pytest.mark.parametrize("source", ["cluster | nosuch", "cluster | center(9)", "cluster is nosuch"])
def test_unknown_filters_and_tests_are_found_when_it_is_compiled(source: str) -> None:
    with pytest.raises(ExpressionError, match=r"No (filter|test) named"):
        expression(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("details.verison == 1", "the mapping has no 'verison'; did you mean 'version'?"),
        ("labels.owner == 'a'", "the mapping has no 'owner'"),
        ("severity >= 'warnin'", "'warnin' is not a valid Severity"),
        ("event.__class__.__mro__", "access to attribute '__class__' of 'Event' object is unsafe."),
        ("'a' * 1000000000", "* is not for expressions like this"),
        ("2 ** 1000000000", "** is not for expressions like this"),
        ("'%1000000000d' % 1", "% is not for expressions like this"),
        ("[1] * 1000000000", "* is not for expressions like this"),
        ("1 / 0", "division by zero"),
    ],
)
def test_what_fails_for_an_event_says_why(source: str, message: str) -> None:
    holds = expression(source)
    with pytest.raises(ExpressionError) as caught:
        holds(DELETED)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "source",
    [
        "cluster.format(1)",
        "cluster.ljust(1000000000)",
        "event.to_json()",
        "labels.clear()",
        "cluster.replace('', 'x')",
    ],
)
def test_only_harmless_methods_can_be_called(source: str) -> None:
    with pytest.raises(ExpressionError, match=r"cannot be called here; what can: |is unsafe"):
        expression(source)(DELETED)
