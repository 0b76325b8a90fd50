import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.patterns import Patterns, check_glob, severities
from relay.model.severity import Severity


@pytest.mark.parametrize(
    ("globs", "text", "expected"),
    [
        (["prod/**"], "prod/app", True),
        (["prod/**"], "prod/team/app", True),
        (["prod/*"], "prod/app", True),
        (["prod/*"], "prod/team/app", False),
        (["prod/app?"], "prod/app1", True),
        (["prod/app?"], "prod/app/", False),
        (["prod/[ab]*"], "prod/box", True),
        (["prod/[!ab]*"], "prod/box", False),
        (["prod/**", "!prod/scratch-*"], "prod/scratch-1", False),
        (["prod/**", "!prod/scratch-*"], "prod/app", True),
        (["!prod/scratch-*"], "lab/app", True),
        (["!prod/scratch-*"], "prod/scratch-1", False),
        (["a", "b"], "b", True),
        (["prod/app"], "prod/application", False),
        (["prod.app"], "prodxapp", False),
        (["a[b"], "a[b", True),
        ([r"a[\d]"], "a1", False),
        (["**"], "line\nbreak", True),
        ([], "anything", True),
    ],
)
def test_globs(globs: list[str], text: str, expected: bool) -> None:
    assert Patterns(globs, "/").match(text) is expected


def test_without_separator_a_star_takes_everything() -> None:
    assert Patterns(["trust.*"]).match("trust.deleted")
    assert Patterns(["cluster-*"]).match("cluster-a/b")


@given(st.text(max_size=40))
def test_no_glob_breaks(text: str) -> None:
    try:
        check_glob(text)
    except ValueError:
        return
    Patterns([text], "/").match("prod/app")


@given(st.text(alphabet=st.characters(exclude_characters="*?[!"), min_size=1, max_size=40))
def test_a_plain_text_matches_itself_alone(text: str) -> None:
    patterns = Patterns([text], "/")
    assert patterns.match(text)
    assert not patterns.match(text + "x")


def test_an_empty_glob_is_refused() -> None:
    with pytest.raises(ValueError, match="matches nothing"):
        check_glob("!")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("critical", {"critical"}),
        (">= warning", {"warning", "error", "critical"}),
        (">warning", {"error", "critical"}),
        ("<= warning", {"info", "warning"}),
        ("< warning", {"info"}),
        ("!= info", {"warning", "error", "critical"}),
        ("= info", {"info"}),
    ],
)
def test_severities(text: str, expected: set[str]) -> None:
    assert severities(text) == {Severity(name) for name in expected}


@pytest.mark.parametrize("text", ["", "CRITICAL", ">= fatal", ">> info", "warning or error"])
def test_severities_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="severity"):
        severities(text)
