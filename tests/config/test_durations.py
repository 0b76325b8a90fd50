"""Durations and sizes."""

from datetime import timedelta
from typing import Annotated

import jsonschema
import pytest
from annotated_types import Ge
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from relay.config import Duration, Size, format_duration, format_size, parse_duration, parse_size

durations: TypeAdapter[timedelta] = TypeAdapter(Duration)
sizes: TypeAdapter[int] = TypeAdapter(Size)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("500ms", 0.5),
        ("1h30m", 5400),
        ("0s", 0),
        (" 1m ", 60),
        ("1d2h3m4s5ms", 93784.005),
        ("90m", 5400),
        ("3650d", 315360000),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert durations.validate_python(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "s",
        "-5s",
        "+5s",
        "1.5h",
        "30",
        "30 s",
        "30sec",
        "1m1h",
        "1s1s",
        "nan",
        "inf",
        "1e3s",
        "3651d",
        "99999999999999d",
        "9" * 5000 + "s",
        "٣s",
        "5M",
        "P1D",
        "00:30",
        30,
        30.0,
        float("nan"),
        True,
        None,
        [],
        {},
        "1h\n2m",
        "off",
    ],
)
def test_no_durations(value: object) -> None:
    with pytest.raises(ValidationError):
        durations.validate_python(value)


@pytest.mark.parametrize("value", [30, 1.5, "30", "-4", "0"])
def test_a_bare_number_is_told_what_to_write(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        durations.validate_python(value)
    (error,) = caught.value.errors()
    assert error["msg"] == "must be a duration with its unit"
    assert "30s" in error["ctx"]["hint"]


@given(st.timedeltas(timedelta(0), timedelta(days=3650)))
def test_durations_come_back_to_the_millisecond(value: timedelta) -> None:
    whole = timedelta(milliseconds=value // timedelta(milliseconds=1))
    assert parse_duration(format_duration(value)) == whole


def test_a_negative_duration_is_still_told() -> None:
    assert format_duration(timedelta(seconds=-90)) == "-1m30s"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0B", 0),
        ("512B", 512),
        ("20kB", 20_000),
        ("20KB", 20_000),
        ("1KiB", 1024),
        ("1MiB", 2**20),
        ("2GB", 2 * 10**9),
        ("1024GiB", 2**40),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert sizes.validate_python(text) == count


@pytest.mark.parametrize(
    "value",
    ["", "20", 20, 20.5, "-1B", "1.5MB", "1 MB", "1kb", "1Kb", "1TB", "1025GiB", "9" * 400 + "B", None],
)
def test_no_sizes(value: object) -> None:
    with pytest.raises(ValidationError):
        sizes.validate_python(value)


@given(st.integers(0, 2**40))
def test_sizes_come_back(count: int) -> None:
    assert parse_size(format_size(count)) == count


def test_sizes_are_written_shortly() -> None:
    assert [format_size(n) for n in (0, 1, 1000, 1024, 20_000, 2**20, 3 * 10**9)] == [
        "0B",
        "1B",
        "1kB",
        "1KiB",
        "20kB",
        "1MiB",
        "3GB",
    ]


class Both(BaseModel):
    wait: Annotated[Duration, Ge(timedelta(seconds=10))] = timedelta(seconds=90)
    limit: Size = 20_000


def test_limits_can_be_set() -> None:
    assert Both.model_validate({"wait": "10s"}).wait == timedelta(seconds=10)
    with pytest.raises(ValidationError):
        Both.model_validate({"wait": "9s"})


def test_they_are_written_back_as_they_are_read() -> None:
    assert Both().model_dump(mode="json") == {"wait": "1m30s", "limit": "20kB"}
    assert Both().model_dump() == {"wait": timedelta(seconds=90), "limit": 20_000}


def test_their_schema_takes_what_they_take() -> None:
    schema = Both.model_json_schema()
    for wait, limit, good in [
        ("1h30m", "1MiB", True),
        ("30", "1MiB", False),
        ("", "1B", False),
        ("30s", "1", False),
    ]:
        assert jsonschema.Draft202012Validator(schema).is_valid({"wait": wait, "limit": limit}) is good
