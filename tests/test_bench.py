"""The frame of the benchmarks: figures, their spread, and the document that they are written into."""

from importlib import import_module
from pathlib import Path

import pytest

from bench import report
from bench.__main__ import NAMES
from bench.figures import Section, Spread, Table, quantile, ratios, spread


def section(title: str, value: str) -> Section:
    return Section(title, "How it was measured.", (Table(("", "x"), (("row", value),)),), "What limits it.")


def test_a_figure_that_was_measured_once_has_no_spread() -> None:
    assert spread([1.234]).shown() == "1.23"
    assert spread([3, 1, 2]).shown(".0f") == "2 (1 to 3)"


def test_ratios_are_those_of_the_same_round() -> None:
    assert ratios([1, 4], [2, 2]) == Spread((0.5, 2.0))
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


@pytest.mark.parametrize(("part", "found"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_quantiles_are_values_that_were_measured(part: float, found: int) -> None:
    assert quantile(range(1, 101), part) == found


def test_a_section_takes_the_place_of_what_it_said_before_and_of_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    report.write("one", section("First", "1.0"), file=file)
    report.write("two", section("Second", "2.0"), file=file)
    before = file.read_text()
    report.write("one", section("First", "1.5"), file=file)
    after = file.read_text()
    assert after == before.replace("| row | 1.0 |", "| row | 1.5 |")
    assert after.index("## First") < after.index("## Second")
    assert after.count("*Measured on ") == 2


def test_sections_have_the_order_of_the_benchmarks(tmp_path: Path) -> None:
    file, order = tmp_path / "performance.md", ("first", "second", "third")
    for name in ("third", "first", "second"):
        report.write(name, section(name, "1"), order, file=file)
    text = file.read_text()
    assert [text.index(f"## {name}") for name in order] == sorted(text.index(f"## {name}") for name in order)


def test_a_section_is_markdown() -> None:
    assert section("Title", "1").shown() == (
        "How it was measured.\n\n|  | x |\n| --- | --- |\n| row | 1 |\n\nWhat limits it."
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_can_be_measured_by_name(name: str) -> None:
    assert callable(import_module(f"bench.{name}").measure)


def test_the_document_has_every_benchmark() -> None:
    text = report.FILE.read_text()
    assert [name for name in NAMES if f"<!-- {name} -->" not in text] == []
    assert " with changes" not in text, "what was measured is a commit"
