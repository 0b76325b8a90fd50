"""The process that renders what somebody has typed: ``python -m relay.render.worker SECONDS BYTES``.

It reads jobs, a line each, and writes how they went. Whoever started it ends it when it takes too long. It
gets no more than it needs, and binds itself: so much memory, so much computing time, no files written.
"""

import resource
import sys
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import BytecodeCache

from relay.render.compiled import Compiled
from relay.render.environment import Place
from relay.render.errors import TemplateError
from relay.render.jobs import Done, Job, Trouble
from relay.render.renderer import Renderer

OUTPUT: Final = 512 * 1024
"""So many bytes all parts of a message may have together: no receiver takes as much."""
READY: Final = b"ready\n"
_KEPT: Final = 100
_LONGEST: Final = 64 * 1024


class _Still:
    """A clock that stands still: it only says what time it is taken to be."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    async def wait(self, event: object, seconds: float | None) -> bool:
        raise NotImplementedError


def main(seconds: float, memory: int) -> None:
    """Do jobs until there are no more, or one was too large."""
    _bind(memory)
    out = sys.stdout.buffer
    out.write(READY)
    out.flush()
    for line in sys.stdin.buffer:
        _wind_up(seconds)
        done = _do(line, memory)
        out.write(done.line())
        out.flush()
        if done.last:
            return


def _bind(memory: int) -> None:
    """Allow so many bytes more than are in use, no files, and no image of the memory after a crash."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + memory
    for limit, value in (
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _wind_up(seconds: float) -> None:
    """Allow computing for some seconds more: an orphan must not go on for ever."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + 2 * seconds) + 1, hard))


def _do(line: bytes, memory: int) -> Done:
    job = Job.read(line)
    try:
        parts = _render(job)
    except TemplateError as error:
        if error.message == MemoryError.__name__:
            return _too_large(job.name, memory)
        return Done(trouble=Trouble(error.template, error.line, error.message))
    except MemoryError:
        return _too_large(job.name, memory)
    size = sum(len(text.encode(errors="replace")) for text in parts.values())
    if size > OUTPUT:
        said = (
            f"it makes {size // 1024} KiB of text; what can be looked at has {OUTPUT // 1024} KiB at the most"
        )
        return Done(trouble=Trouble(job.name, None, said), last=True)
    return Done(parts)


def _render(job: Job) -> dict[str, str]:
    renderer = Renderer(
        job.directories,
        clock=_Still(job.now),
        timezone=ZoneInfo(job.zone),
        public_url=job.public_url,
        typed=job.typed or {},
        compiled=_compiled(job.zone),
    )
    return renderer.render(job.kind, job.parts, job.telling, job.template)


@lru_cache(maxsize=1)
def _compiled(_zone: str) -> dict[Place, BytecodeCache]:
    # What does not change is worked out when a template is compiled: a time's text in a zone may be among it.
    return {place: Compiled(_KEPT, _LONGEST) for place in Place}


def _too_large(name: str, memory: int) -> Done:
    said = f"it takes more than {memory // 1024 // 1024} MiB of memory"
    return Done(trouble=Trouble(name, None, said), last=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
