"""Rendering aside: what is typed cannot hold up the relay, nor take its memory, nor see its secrets."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from relay.model.samples import sample
from relay.render import Renderer, Telling, TemplateError
from relay.render.aside import Aside, TooManyError
from relay.render.jobs import Job
from relay.render.worker import OUTPUT
from tests.support.clock import ManualClock

CLOCK = ManualClock()
TELLING = Telling((sample("trust.deleted"),), "rule", "channel", "dlv_sample", thread="alr_sample")
FILE = "console/default.txt.j2"


def job(source: str | None = None) -> Job:
    typed = {} if source is None else {FILE: source}
    return Job("console", ("txt",), TELLING, CLOCK.now(), template="default", typed=typed)


@pytest.fixture
async def aside() -> AsyncIterator[Aside]:
    made = Aside(seconds=1.0)
    yield made
    await made.close()


def environment(pid: int | None) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def trouble(aside: Aside, source: str) -> TemplateError:
    with pytest.raises(TemplateError) as found:
        await aside.render(job(source))
    return found.value


async def works(aside: Aside) -> None:
    assert await aside.render(job("{{ event.type }}")) == {"txt": "trust.deleted"}


async def test_it_renders_what_the_relay_would(aside: Aside) -> None:
    here = Renderer([], clock=CLOCK).render("console", ("txt",), TELLING, "default")
    assert await aside.render(job()) == here


async def test_what_is_typed_can_extend_what_is_shipped(aside: Aside) -> None:
    found = await aside.render(job("{% extends 'shipped/console/default.txt.j2' %}"))
    assert found == await aside.render(job())


async def test_it_is_started_when_needed_and_kept(aside: Aside) -> None:
    assert aside.pid is None
    await works(aside)
    first = aside.pid
    await works(aside)
    assert (await trouble(aside, "{{ evnt }}")).line == 1
    assert aside.pid == first


async def test_the_line_and_the_near_miss_are_told(aside: Aside) -> None:
    error = await trouble(aside, "one\ntwo {{ event.tipe }}")
    assert (error.template, error.line) == (FILE, 2)
    assert "did you mean 'type'?" in error.message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "longer than 1"),
        ("{{ 'x' * 1000000000 }}", "MiB of memory"),
        (f"{{{{ 'x' * {OUTPUT + 1} }}}}", "KiB of text"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "without end"),
        ("{% include 'console/default.txt.j2' %}", "without end"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "without end"),
    ],
)
async def test_what_takes_too_much_is_told_and_the_next_one_works(
    aside: Aside, source: str, said: str
) -> None:
    assert said in (await trouble(aside, source)).message
    await works(aside)


async def test_a_process_that_is_gone_is_replaced(aside: Aside) -> None:
    await works(aside)
    gone = aside.pid
    assert gone is not None
    os.kill(gone, signal.SIGSTOP)
    waiting = asyncio.create_task(aside.render(job("x")))
    await asyncio.sleep(0)
    os.kill(gone, signal.SIGKILL)
    with pytest.raises(TemplateError, match="brought down"):
        await waiting
    await works(aside)
    assert aside.pid != gone


async def test_who_goes_away_leaves_no_answer_to_the_next(aside: Aside) -> None:
    await works(aside)
    waiting = asyncio.create_task(aside.render(job("{% for i in range(90000) %}{% endfor %}first")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await works(aside)


async def test_only_so_many_wait(aside: Aside) -> None:
    few = Aside(waiting=2)
    found = await asyncio.gather(*(few.render(job("x")) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [dict, dict, TooManyError]
    await few.close()


async def test_it_knows_nothing_of_the_relay(aside: Aside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-secret")
    await works(aside)
    seen = environment(aside.pid)
    assert b"xoxb-secret" not in seen
    assert b"PYTHONPATH=" in seen


async def test_closed_it_is_gone_and_stays_so(aside: Aside) -> None:
    await works(aside)
    pid = aside.pid
    await aside.close()
    with pytest.raises(FileNotFoundError):
        environment(pid)
    with pytest.raises(TooManyError):
        await works(aside)


async def test_a_file_that_was_changed_counts_at_once(aside: Aside, tmp_path: Path) -> None:
    async def made() -> str:
        return (await aside.render(replace(job(), directories=(tmp_path,))))["txt"]

    file = tmp_path / FILE
    file.parent.mkdir()
    file.write_text("before")
    assert await made() == "before"
    file.write_text("after")
    assert await made() == "after"


async def test_who_waits_when_it_is_closed_starts_nothing_anew(aside: Aside) -> None:
    await works(aside)
    first = asyncio.create_task(aside.render(job("{% for i in range(90000) %}{% endfor %}first")))
    second = asyncio.create_task(aside.render(job("second")))
    await asyncio.sleep(0)
    await aside.close()
    found = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(each) for each in found] == [TemplateError, TooManyError]
    assert aside.pid is None


async def test_what_is_typed_sees_templates_and_no_other_file(aside: Aside, tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text("password: secret")
    (tmp_path / "mine.j2").write_text("a helper")

    async def made(source: str) -> str:
        return (await aside.render(replace(job(source), directories=(tmp_path,))))["txt"]

    assert await made("{% include 'mine.j2' %}") == "a helper"
    for tag in (
        "{% include 'relay.yaml' %}",
        "{% include ['none.j2', 'relay.yaml'] ignore missing %}",
        "{% extends 'relay.yaml' %}",
        "{% import 'relay.yaml' as found %}{{ found }}",
    ):
        with pytest.raises(TemplateError, match=r"does not end in \.j2"):
            await made(tag)
