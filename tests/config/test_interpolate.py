"""`${VAR}` in values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.config import document
from relay.config.interpolate import Finding, interpolate
from relay.config.tree import Scalar, child, leaves, plain


def expanded(text: str, **variables: str) -> tuple[Any, list[Finding]]:
    findings: list[Finding] = []
    tree = interpolate(document.parse(text, "r.yaml"), variables, findings.append)
    return plain(tree), findings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "1"),
        ("x${A}y${B}z", "x1ytwoz"),
        ("${NONE:-d}", "d"),
        ("${NONE:-}", ""),
        ("${EMPTY:-d}", "d"),
        ("${A:-d}", "1"),
        ("${EMPTY}", ""),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A", "$A"),
        ("$", "$"),
        ("$$", "$$"),
        ("${NONE:-a:-b}", "a:-b"),
        ("{A}", "{A}"),
    ],
)
def test_references(text: str, value: str) -> None:
    assert expanded(f"k: '{text}'", A="1", B="two", EMPTY="") == ({"k": value}, [])


def test_a_variable_is_one_value_whatever_it_holds() -> None:
    assert expanded("k: ${A}", A="x: [1, {y: off}] # ${B}\n") == ({"k": "x: [1, {y: off}] # ${B}\n"}, [])


def test_a_variable_stays_text() -> None:
    assert expanded("k: ${A}\nl: [true, '${A}']", A="12") == ({"k": "12", "l": [True, "12"]}, [])


def test_keys_are_never_touched() -> None:
    assert expanded("'${A}': 1\n", A="x") == ({"${A}": 1}, [])


@pytest.mark.parametrize("text", ["${NONE}", "${}", "${A", "${1}", "${A-b}", "${A b}", "${É}"])
def test_what_cannot_be_expanded_is_told_with_its_place(text: str) -> None:
    value, (finding,) = expanded(f"a:\n  - b: '{text}'", A="hunter2")
    assert value == {"a": [{"b": ""}]}
    assert finding.loc == ("a", 0, "b")
    assert str(finding.origin) == "r.yaml:2:8"
    assert "hunter2" not in f"{finding}"


def test_every_unset_variable_is_told() -> None:
    _, findings = expanded("a: ${X}${Y}\nb: ${Z}")
    assert [f.message for f in findings] == [f"the variable {name} is not set" for name in "XYZ"]


def test_what_came_from_a_variable_is_hidden() -> None:
    tree = interpolate(document.parse("a: ${A}\nb: plain\nc: 1", "r.yaml"), {"A": "hunter2"}, print)
    assert {loc: leaf.hidden for loc, leaf in leaves(tree)} == {("a",): True, ("b",): False, ("c",): False}
    assert "hunter2" not in repr(child(tree, "a"))


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_value_fails_and_other_text_is_untouched(text: str, held: str) -> None:
    findings: list[Finding] = []
    root = document.parse("a: x", "r.yaml")
    entry = root.entries["a"].value
    found = interpolate(Scalar(text, entry.origin), {"A": held}, findings.append)
    assert isinstance(found, Scalar)
    if "${" not in text:
        assert found.value == text
