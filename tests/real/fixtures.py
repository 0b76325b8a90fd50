"""The real parts as fixtures: costly ones once a session, what holds state once a test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from tests.real import parts
from tests.real.loops import LoopThread
from tests.real.msr import Msr
from tests.real.notary import make_template
from tests.real.pki import Pki
from tests.real.postgres import Postgres
from tests.real.smtp import SmtpServer, Tls
from tests.real.tokens import Issuer
from tests.real.webhooks import Receiver


class MakeSmtp(Protocol):
    def __call__(self, tls: Tls = "starttls", login: tuple[str, str] | None = None) -> SmtpServer: ...


class MakeReceiver(Protocol):
    def __call__(self, *, tls: bool = False, ask_client: bool = False) -> Receiver: ...


MakeMsr = Callable[..., Msr]


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The thread in which all servers run that are not processes."""
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority, its file, and certificates for servers on loopback."""
    return Pki.make(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL cluster of our own; `postgres.fresh()` gives the URL of an empty database."""
    cluster = Postgres()
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """Signs MSR's tokens."""
    return Issuer(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="session")
def make_msr(
    loop_thread: LoopThread,
    pki: Pki,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MakeMsr]:
    """`make_msr(replicas=1)`: an MSR with notary, database and users of its own, until the session ends."""
    # In this order, so that a machine without notary starts no PostgreSQL in vain.
    parts.need("notary")
    postgres: Postgres = request.getfixturevalue("postgres")
    issuer: Issuer = request.getfixturevalue("issuer")
    make_template(postgres)
    with ExitStack() as stack:

        def make(replicas: int = 1) -> Msr:
            made = Msr(loop_thread, pki, postgres, issuer, tmp_path_factory.mktemp("msr"), replicas)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def msr(make_msr: MakeMsr) -> Iterator[Msr]:
    """A fresh MSR of one replica for this test."""
    made = make_msr()
    yield made
    made.close()


@pytest.fixture
def make_smtp(loop_thread: LoopThread, pki: Pki) -> Iterator[MakeSmtp]:
    """`make_smtp(tls="starttls", login=None)`: a mail server; they end with the test."""
    with ExitStack() as stack:

        def make(tls: Tls = "starttls", login: tuple[str, str] | None = None) -> SmtpServer:
            server = SmtpServer(loop_thread, pki, tls, login)
            stack.callback(server.stop)
            return server

        yield make


@pytest.fixture
def smtp(make_smtp: MakeSmtp) -> SmtpServer:
    """A mail server that insists on STARTTLS and asks for no login."""
    return make_smtp()


@pytest.fixture
def make_receiver(loop_thread: LoopThread, pki: Pki) -> Iterator[MakeReceiver]:
    """`make_receiver(tls=False, ask_client=False)`: a receiver of webhooks; they end with the test."""
    with ExitStack() as stack:

        def make(*, tls: bool = False, ask_client: bool = False) -> Receiver:
            receiver = Receiver(loop_thread, pki, tls=tls, ask_client=ask_client)
            stack.callback(receiver.stop)
            return receiver

        yield make


@pytest.fixture
def webhooks(make_receiver: MakeReceiver) -> Receiver:
    """A receiver of webhooks over plain HTTP."""
    return make_receiver()
