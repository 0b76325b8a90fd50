"""Renders what somebody has typed in a process of its own, so that it cannot hold up the relay."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Final

import relay
from relay.model.errors import RelayError
from relay.model.text import storable
from relay.render.errors import TemplateError
from relay.render.jobs import Done, Job
from relay.render.worker import OUTPUT, READY

SECONDS: Final = 2.0
MEMORY: Final = 128 * 1024 * 1024
WAITING: Final = 8
_LONGEST: Final = 6 * OUTPUT + 4096
"""Bytes of an answer: JSON may write a character as six."""
_START: Final = 30.0
"""Seconds that the process may take to start, on a machine that is busy with something else."""


class TooManyError(RelayError):
    """Too many wait for their turn."""

    def __str__(self) -> str:
        return "too much is rendered already: try again in some seconds"


class Aside:
    """One process that renders one thing after the other; it is started when it is first needed.

    A template gets ``seconds`` and ``memory`` (bytes); after one that takes more, or that brings the process
    down, a new one is started. It knows no settings, no secrets and no store: it inherits no environment.
    """

    def __init__(self, *, seconds: float = SECONDS, memory: int = MEMORY, waiting: int = WAITING) -> None:
        self._seconds = seconds
        self._memory = memory
        self._most = waiting
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process, None while there is none."""
        return None if self._process is None else self._process.pid

    async def render(self, job: Job) -> dict[str, str]:
        """Return the parts of a message. Raises TemplateError, and TooManyError if too many wait already."""
        if self._waiting >= self._most or self._closed:
            raise TooManyError
        self._waiting += 1
        try:
            async with self._turn:
                if self._closed:
                    # It was closed while this waited: nobody would end another process.
                    raise TooManyError
                done = await self._do(job)
        finally:
            self._waiting -= 1
        if done.trouble is not None:
            raise TemplateError(done.trouble.template, done.trouble.line, done.trouble.message)
        return {part: storable(text) for part, text in (done.parts or {}).items()}

    async def close(self) -> None:
        """End the process; nothing is rendered afterwards."""
        self._closed = True
        await self._end()

    async def _do(self, job: Job) -> Done:
        try:
            process = await self._running()
            done = await self._ask(process, job)
        except BaseException:
            # What it would still say would be taken for the answer to the next question.
            await asyncio.shield(self._end())
            raise
        if done.last:
            await self._end()
        return done

    async def _ask(self, process: Process, job: Job) -> Done:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._seconds):
                process.stdin.write(job.line())
                await process.stdin.drain()
                return Done.read(await process.stdout.readline())
        except TimeoutError:
            said = f"it takes longer than {self._seconds:g} seconds: does it repeat something too often?"
        except (ValueError, OSError):
            said = "it brought down the process that rendered it"
        raise TemplateError(job.name, None, said)

    async def _running(self) -> Process:
        process = self._process
        if process is not None and process.returncode is None:
            return process
        arguments = ("-m", "relay.render.worker", str(self._seconds), str(self._memory))
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONPATH": str(Path(relay.__file__).parent.parent), "LANG": "C.UTF-8"},
            limit=_LONGEST,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_START):
                said = await process.stdout.readline()
        except TimeoutError:
            said = b""
        if said != READY:
            raise RenderingError
        return process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class RenderingError(RelayError):
    """The process that renders cannot be started."""

    def __str__(self) -> str:
        return "the process that renders could not be started: is the machine out of memory, or too busy?"
