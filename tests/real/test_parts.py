"""The real parts are real: they do what msr.md says of MSR, and what mail servers and receivers do."""

import asyncio
import hashlib
import re
import shutil
import smtplib
import socket
import ssl
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.real import parts
from tests.real.fixtures import MakeMsr, MakeReceiver, MakeSmtp
from tests.real.loops import free_port, listen
from tests.real.msr import Msr
from tests.real.pki import Pki
from tests.real.postgres import Postgres
from tests.real.smtp import SmtpServer
from tests.real.tokens import User
from tests.real.webhooks import Answer, Receiver

CATALOG = "registry:catalog:*"
FEED = "/v2/_trust/changefeed"


def basic(user: User) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(user.name, user.password)}


class Reader:
    """Asks as the house plan says, with nothing of the relay in it."""

    def __init__(self, msr: Msr, session: aiohttp.ClientSession) -> None:
        self.msr, self.session = msr, session

    async def token(self, user: User, scope: str) -> str:
        query = {"realm": "dtr", "service": "dtr", "scope": scope}
        url = f"{self.msr.url}/auth/token"
        async with self.session.get(url, params=query, headers=basic(user)) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["token"])

    async def get(self, path: str, token: str, **query: str) -> tuple[int, Any, aiohttp.ClientResponse]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.get(f"{self.msr.url}{path}", params=query, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None), answer

    async def feed(self, **query: str) -> list[dict[str, Any]]:
        token = await self.token(self.msr.admin, CATALOG)
        status, page, _ = await self.get(FEED, token, **({"change_id": "0", "records": "100"} | query))
        assert status == 200, page
        assert page["count"] == len(page["records"])
        return list(page["records"])


@pytest.fixture
async def reader(msr: Msr) -> Any:
    connector = aiohttp.TCPConnector(ssl=msr.pki.client_context())
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Reader(msr, session)


class TestNotary:
    async def test_signing_and_deleting_shows_in_the_feed_as_documented(
        self, msr: Msr, reader: Reader
    ) -> None:
        before = datetime.now(UTC)
        gun = msr.gun("prod/app")
        await asyncio.to_thread(msr.sign, "prod/app", "v1", b"one")
        msr.public.add(gun)
        signed = await asyncio.to_thread(msr.client.list, gun)
        assert signed == {"v1": hashlib.sha256(b"one").hexdigest()}
        await asyncio.to_thread(msr.delete, "prod/app")

        records = await reader.feed()
        assert [(r["Category"], r["Version"]) for r in records] == [
            ("update", 1),
            ("update", 2),
            ("deletion", 0),
        ]
        assert {r["GUN"] for r in records} == {gun}
        assert all(set(r) == {"ID", "CreatedAt", "GUN", "Version", "SHA256", "Category"} for r in records)
        assert all(re.fullmatch(r"[0-9a-f]{64}", r["SHA256"]) for r in records[:2])
        assert records[2]["SHA256"].strip() == ""
        assert [int(r["ID"]) for r in records] == sorted(int(r["ID"]) for r in records)
        for record in records:
            seen = datetime.fromisoformat(record["CreatedAt"])
            assert before - timedelta(seconds=1) <= seen <= datetime.now(UTC) + timedelta(seconds=1)

    async def test_signs_again_after_a_deletion_from_version_1(self, msr: Msr, reader: Reader) -> None:
        for _ in range(2):
            await asyncio.to_thread(msr.client.init, msr.gun("prod/app"))
            await asyncio.to_thread(msr.delete, "prod/app")
        assert [r["Version"] for r in await reader.feed()] == [1, 0, 1, 0]

    async def test_records_before_and_after(self, msr: Msr, reader: Reader) -> None:
        ids = [msr.notary.add_record(msr.gun(f"prod/app-{n}")) for n in range(5)]
        for query, expected in [
            ({"change_id": "0", "records": "-1"}, ids[-1:]),
            ({"change_id": "-1", "records": "1"}, ids[-1:]),
            ({"change_id": "1", "records": "-1"}, []),
            ({"change_id": ids[1], "records": "2"}, ids[2:4]),
        ]:
            assert [r["ID"] for r in await reader.feed(**query)] == expected, query

    async def test_an_expired_timestamp_is_signed_by_a_mere_read(self, msr: Msr, reader: Reader) -> None:
        gun = msr.gun("prod/app")
        await asyncio.to_thread(msr.sign, "prod/app")
        msr.notary.expire_timestamp(gun)
        before = await reader.feed()
        msr.public.add(gun)
        await asyncio.to_thread(msr.client.list, gun)
        added = (await reader.feed())[len(before) :]
        assert [(r["Category"], r["GUN"]) for r in added] == [("update", gun)]

    async def test_a_late_record_and_a_rebuilt_feed(self, msr: Msr, reader: Reader) -> None:
        first = msr.notary.add_record("a")
        msr.notary.skip_ids(1)
        third = msr.notary.add_record("c")
        assert int(third) == int(first) + 2
        late = msr.notary.add_record("b", record_id=int(first) + 1)
        assert [r["ID"] for r in await reader.feed()] == [first, late, third]

        msr.notary.rebuild_feed()
        assert await reader.feed(change_id=third) == []
        assert msr.notary.add_record("d") == "1"

    async def test_refusals(self, msr: Msr, reader: Reader) -> None:
        plain = msr.add_user("ci-bot", "secret", "prod/app")
        own, other = msr.gun("prod/app"), msr.gun("prod/other")
        for user, scope, path, error in [
            (plain, CATALOG, FEED, "insufficient_scope"),
            (plain, f"repository:{own}:pull", FEED, "insufficient_scope"),
            (plain, f"repository:{other}:pull", f"/v2/{other}/_trust/changefeed", "insufficient_scope"),
            (msr.admin, CATALOG, f"/v2/{own}/_trust/changefeed", "insufficient_scope"),
            (None, CATALOG, FEED, "invalid_token"),
        ]:
            token = await reader.token(user, scope) if user else "rubbish"
            status, body, answer = await reader.get(path, token, change_id="0", records="1")
            assert (status, body["errors"][0]["code"]) == (401, "UNAUTHORIZED"), path
            assert f'error="{error}"' in answer.headers["WWW-Authenticate"]
            assert f'realm="{msr.url}/auth/token"' in answer.headers["WWW-Authenticate"]
        mine = msr.notary.add_record(own)
        msr.notary.add_record(other)
        token = await reader.token(plain, f"repository:{own}:pull")
        status, page, answer = await reader.get(
            f"/v2/{own}/_trust/changefeed", token, change_id="0", records="1"
        )
        assert (status, [r["ID"] for r in page["records"]]) == (200, [mine])
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"

    async def test_a_token_expires(self, msr: Msr, reader: Reader) -> None:
        msr.token_lifetime = -61
        token = await reader.token(msr.admin, CATALOG)
        status, _, answer = await reader.get(FEED, token, change_id="0", records="1")
        assert status == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]

    async def test_a_bad_parameter(self, msr: Msr, reader: Reader) -> None:
        token = await reader.token(msr.admin, CATALOG)
        status, body, answer = await reader.get(FEED, token, change_id="0", records="many")
        assert (status, body["errors"][0]["code"]) == (400, "INVALID_PARAMETERS")
        assert answer.content_type == "application/json"

    async def test_its_own_failures(self, msr: Msr, reader: Reader) -> None:
        token = await reader.token(msr.admin, CATALOG)
        msr.notary.sql("ALTER TABLE changefeed RENAME TO gone")
        status, body, _ = await reader.get(FEED, token, change_id="0", records="1")
        assert (status, body["errors"][0]["code"]) == (500, "UNKNOWN")
        msr.notary.stop()
        async with reader.session.get(f"{msr.url}{FEED}") as answer:
            assert (answer.status, answer.content_type) == (502, "text/html")

    async def test_each_has_its_own_feed(self, make_msr: MakeMsr, msr: Msr, reader: Reader) -> None:
        make_msr().notary.add_record("elsewhere")
        assert await reader.feed() == []


class TestFront:
    async def test_a_wrong_password_gets_no_token(self, msr: Msr, reader: Reader) -> None:
        wrong = basic(User("admin", "guess"))
        async with reader.session.get(
            f"{msr.url}/auth/token", params={"scope": CATALOG}, headers=wrong
        ) as answer:
            assert answer.status == 401
            assert (await answer.json())["errors"][0]["code"] == "UNAUTHORIZED"

    async def test_health_documents_are_those_that_were_set(self, make_msr: MakeMsr, pki: Pki) -> None:
        msr = make_msr(replicas=2)
        first, second = msr.replicas
        second.break_down("metadata")
        second.cluster_status = {"replica_health": {"abc": "OK"}}
        plain = msr.add_user("ci-bot", "secret")
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=pki.client_context())) as session:

            async def ask(url: str, user: User | None = None) -> tuple[int, str]:
                async with session.get(url, headers=basic(user) if user else {}) as answer:
                    return answer.status, await answer.text()

            assert await ask(f"{first.url}/_ping") == (200, '{"Error": "", "Healthy": true}')
            assert await ask(f"{second.url}/_ping") == (503, '{"Error": "metadata", "Healthy": false}')
            assert "Active connections: 291" in (await ask(f"{first.url}/nginx_status"))[1]
            status_url = f"{second.url}/api/v0/meta/cluster_status"
            assert await ask(status_url, msr.admin) == (200, '{"replica_health": {"abc": "OK"}}')
            assert (await ask(status_url, plain))[0] == 403
            assert (await ask(status_url))[0] == 401
            assert second.requests[-1] == "GET /api/v0/meta/cluster_status"
            second.stop()
            with pytest.raises(aiohttp.ClientConnectorError):
                await ask(f"{second.url}/_ping")
            second.start()
            assert (await ask(f"{second.url}/_ping"))[0] == 503

    async def test_nobody_trusts_it_without_the_authority(self, msr: Msr) -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(f"{msr.url}/_ping")

    async def test_a_plain_user_cannot_sign(self, msr: Msr) -> None:
        client = msr.client_for(msr.add_user("ci-bot", "secret", "prod/app"))
        with pytest.raises(AssertionError, match="failed"):
            await asyncio.to_thread(client.init, msr.gun("prod/app"))


class TestPostgres:
    def test_databases_are_fresh_and_apart(self, postgres: Postgres) -> None:
        one, other = postgres.fresh(), postgres.fresh()
        postgres.sql(one, "CREATE TABLE t (n int)")
        postgres.sql(one, "INSERT INTO t VALUES (%s)", (7,))
        assert postgres.sql(one, "SELECT n FROM t") == [(7,)]
        assert postgres.sql(other, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]

    def test_it_can_be_away_for_a_while(self, postgres: Postgres) -> None:
        url = postgres.fresh()
        postgres.stop()
        try:
            with pytest.raises(Exception, match="refused"):
                postgres.sql(url, "SELECT 1")
        finally:
            postgres.start()
        assert postgres.sql(url, "SELECT 1") == [(1,)]


def mail(*recipients: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "relay@example.com", ", ".join(recipients), "Größe"
    message.set_content("Trust data was deleted.\n")
    return message


class TestSmtp:
    @pytest.fixture
    def context(self, pki: Pki) -> ssl.SSLContext:
        return pki.client_context()

    @pytest.fixture
    def starttls(self, smtp: SmtpServer, context: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP(smtp.host, smtp.port, timeout=10) as client:
            client.starttls(context=context)
            yield client

    def test_starttls(self, smtp: SmtpServer, starttls: smtplib.SMTP) -> None:
        starttls.send_message(mail("a@example.com", "b@example.com"))
        [received] = smtp.messages.wait(1)
        assert received.tls
        assert received.sender == "relay@example.com"
        assert received.recipients == ("a@example.com", "b@example.com")
        assert received.message["Subject"] == "Größe"
        assert received.message.get_content() == "Trust data was deleted.\n"

    def test_nothing_goes_in_the_clear_where_starttls_is_asked_for(self, smtp: SmtpServer) -> None:
        with smtplib.SMTP(smtp.host, smtp.port, timeout=10) as client:
            with pytest.raises(smtplib.SMTPResponseException) as refused:
                client.send_message(mail("a@example.com"))
            assert refused.value.smtp_code == 530

    def test_implicit_tls_with_login(self, make_smtp: MakeSmtp, context: ssl.SSLContext) -> None:
        server = make_smtp(tls="implicit", login=("relay", "secret"))
        with smtplib.SMTP_SSL(server.host, server.port, context=context, timeout=10) as client:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("relay", "guess")
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.send_message(mail("a@example.com"))
            client.login("relay", "secret")
            client.send_message(mail("a@example.com"))
        assert server.messages.wait()[0].login == "relay"
        assert server.messages[0].tls

    def test_plain(self, make_smtp: MakeSmtp) -> None:
        server = make_smtp(tls="none")
        with smtplib.SMTP(server.host, server.port, timeout=10) as client:
            client.send_message(mail("a@example.com"))
        assert not server.messages.wait()[0].tls

    def test_refuses_one_recipient_or_the_message(self, smtp: SmtpServer, starttls: smtplib.SMTP) -> None:
        smtp.refused_recipients["b@example.com"] = "451 4.7.1 Later"
        refused = starttls.send_message(mail("a@example.com", "b@example.com"))
        assert refused == {"b@example.com": (451, b"4.7.1 Later")}
        assert smtp.messages.wait()[0].recipients == ("a@example.com",)
        smtp.refused_data = "554 5.6.0 No"
        with pytest.raises(smtplib.SMTPDataError, match=r"5\.6\.0"):
            starttls.send_message(mail("a@example.com"))
        assert len(smtp.messages) == 1

    def test_it_can_be_away_for_a_while(self, make_smtp: MakeSmtp) -> None:
        server = make_smtp(tls="none")
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            smtplib.SMTP(server.host, server.port, timeout=10)
        server.start()
        with smtplib.SMTP(server.host, server.port, timeout=10) as client:
            assert client.noop()[0] == 250


class TestReceiver:
    async def test_keeps_the_exact_bytes_in_order(self, webhooks: Receiver) -> None:
        bodies = [b'{"a":  1}', bytes(range(256)), b""]
        async with aiohttp.ClientSession() as session:
            for n, body in enumerate(bodies):
                await session.post(f"{webhooks.url}/hook?n={n}", data=body, headers={"Webhook-Id": str(n)})
        received = await webhooks.requests.arrived(3)
        assert [r.body for r in received] == bodies
        assert [r.path for r in received] == ["/hook?n=0", "/hook?n=1", "/hook?n=2"]
        assert [r.headers["webhook-id"] for r in received] == ["0", "1", "2"]

    async def test_answers_as_scripted(self, webhooks: Receiver) -> None:
        webhooks.script(Answer(429, b"slow", {"Retry-After": "7"}), Answer(503))
        webhooks.paths["/gone"] = Answer(410)
        async with aiohttp.ClientSession() as session:
            answer = await session.post(webhooks.url)
            assert (answer.status, await answer.read(), answer.headers["Retry-After"]) == (429, b"slow", "7")
            assert (await session.post(f"{webhooks.url}/gone")).status == 410
            assert [(await session.post(webhooks.url)).status for _ in range(3)] == [503, 200, 200]

    async def test_faults(self, webhooks: Receiver) -> None:
        webhooks.script(Answer(fault="cut"), Answer(fault="cut body"), Answer(fault="hang"))
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.post(webhooks.url)
            with pytest.raises(aiohttp.ClientPayloadError):
                await (await session.post(webhooks.url)).read()
            with pytest.raises(TimeoutError):
                await session.post(webhooks.url, timeout=aiohttp.ClientTimeout(total=0.2))
        webhooks.stop()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.post(webhooks.url)

    async def test_asks_for_a_client_certificate(self, make_receiver: MakeReceiver, pki: Pki) -> None:
        receiver = make_receiver(tls=True, ask_client=True)
        context = pki.client_context()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.post(receiver.url, ssl=context)
            context = pki.client_context()
            context.load_cert_chain(pki.client_cert, pki.client_key)
            assert (await session.post(receiver.url, ssl=context)).status == 200


class TestFreePort:
    def test_it_can_be_listened_on_and_again(self) -> None:
        port = free_port()
        for _ in range(2):
            with listen(port) as server:
                server.listen()
                with socket.create_connection(("127.0.0.1", port), timeout=10):
                    pass

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps it")
    def test_nobody_else_gets_it_meanwhile(self) -> None:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", free_port()))


class TestMissingParts:
    @pytest.fixture
    def nothing_installed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
        monkeypatch.setitem(parts.PROGRAMS, "notary", ("notary-that-is-not-there",))
        return monkeypatch

    def test_skips_and_says_how_to_get_it(self, nothing_installed: pytest.MonkeyPatch) -> None:
        nothing_installed.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match="apt-get install notary"):
            parts.need("notary")

    def test_fails_in_continuous_integration(self, nothing_installed: pytest.MonkeyPatch) -> None:
        nothing_installed.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match="apt-get install notary"):
            parts.need("notary")

    def test_finds_programs_off_the_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        parts.need("postgresql")
        monkeypatch.setenv("PATH", str(Path(shutil.which("true") or "/bin/true").parent))
        assert parts.need("postgresql")["pg_ctl"].name == "pg_ctl"
