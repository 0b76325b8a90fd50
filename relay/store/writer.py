"""One writer, one thread: group commit.

Whatever has queued while the last transaction was being made durable goes into the next one; there is no
timer. One fsync serves dozens of outcomes, so ``synchronous=FULL`` costs next to nothing.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine

from relay.model.errors import StoreError

Handler = Callable[[Connection, Sequence[Any]], Sequence[Any]]
"""Writes a run of items inside an open transaction and returns a result for each. It may be called again
for the same items after a rollback, so it must have no effect but in the database."""

_MOST = 512


@dataclass(slots=True)
class _Job:
    handler: Handler
    item: Any
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs handlers in the order in which they were submitted, many to a transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, handler: Handler, item: Any) -> Any:
        """Have the item written; return the handler's result once it is durable, or raise its error.

        A caller that is cancelled only ceases to wait: the item is written all the same. Raises
        StoreError once the writer is closed.
        """
        loop = asyncio.get_running_loop()
        job = _Job(handler, item, loop, loop.create_future())
        with self._closing:
            if self._closed:
                raise StoreError("store: closed")
            self._queue.put(job)
        return await job.future

    def close(self) -> None:
        """Write what has queued, then end the thread. May be called again."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        for jobs in self._batches():
            self._write(jobs)
            for loop, done in groupby(jobs, key=lambda job: job.loop):
                # A loop that was closed meanwhile has nobody left to tell.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(_tell, list(done))

    def _batches(self) -> Iterator[list[_Job]]:
        while True:
            job = self._queue.get()
            jobs: list[_Job] = []
            while job is not None:
                jobs.append(job)
                if len(jobs) >= _MOST:
                    break
                try:
                    job = self._queue.get_nowait()
                except queue.Empty:
                    break
            if jobs:
                yield jobs
            if job is None:
                return

    def _write(self, jobs: list[_Job]) -> None:
        """Write the jobs together; if that fails one by one, for the others must not suffer for one."""
        try:
            self._commit(jobs)
        except _NoTransactionError as error:
            _fail(jobs, error)
        except BaseException:
            for place, job in enumerate(jobs):
                try:
                    self._commit([job])
                except _NoTransactionError as error:
                    # Waiting for a database that is gone once more for every job helps nobody.
                    _fail(jobs[place:], error)
                    return
                except BaseException as error:
                    job.error = error

    def _commit(self, jobs: list[_Job]) -> None:
        with self._begin() as connection:
            for handler, run in groupby(jobs, key=lambda job: job.handler):
                members = list(run)
                results = handler(connection, [job.item for job in members])
                for job, result in zip(members, results, strict=True):
                    job.result = result

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        with contextlib.ExitStack() as stack:
            try:
                connection = stack.enter_context(self._engine.begin())
            except Exception as error:
                raise _NoTransactionError from error
            yield connection


class _NoTransactionError(Exception):
    """Not even a transaction could be begun; its cause is why."""


def _fail(jobs: list[_Job], error: _NoTransactionError) -> None:
    for job in jobs:
        job.error = error.__cause__


def _tell(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
