import asyncio
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.channels import Refused, Rejected, Retryable
from relay.channels.email import Email
from relay.http import Http
from relay.model.delivery import Outcome, Sent
from tests.channels.messages import PARTS, message
from tests.channels.trouble import MailPeer, listening
from tests.real.fixtures import MakeSmtp
from tests.real.pki import Pki
from tests.real.smtp import SmtpServer


def mail(server: SmtpServer | None = None, pki: Pki | None = None, **options: Any) -> Email:
    smtp: dict[str, Any] = {"host": "mail.example.com"}
    if server is not None and pki is not None:
        tls = {"none": "none", "starttls": "starttls", "implicit": "tls"}[server.tls]
        smtp = {"host": server.host, "port": server.port, "tls": tls, "ca_file": pki.ca_file}
    smtp |= options.pop("smtp", {})
    given: dict[str, Any] = {"kind": "email", "name": "oncall", "smtp": smtp, "from": "relay@example.com"}
    return Email.model_validate(given | {"to": ["a@example.com", "b@example.com"]} | options)


async def deliver(channel: Email, http: Http, **changes: Any) -> Sent:
    told = message(**changes)
    return await channel.send(told, channel.compose(told), http)


def read(channel: Email, **changes: Any) -> EmailMessage:
    parsed = message_from_string(channel.compose(message(**changes)), policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def outcomes(sent: Sent | Rejected | Retryable) -> dict[str, Outcome]:
    return {target.target: target.outcome for target in sent.targets}


async def test_a_mail_arrives_over_starttls(http: Http, smtp: SmtpServer, pki: Pki) -> None:
    channel = mail(
        smtp,
        pki,
        **{"from": "MSR Rëlay <relay@example.com>"},
        to="On Call <a@example.com>",
        cc=["c@example.com"],
        bcc=["d@example.com", "A@example.com", "a@EXAMPLE.com", "c@example.com"],
        reply_to="soc@example.com",
        headers={"X-Priority": "1"},
    )
    sent = await deliver(channel, http, parts=PARTS | {"txt": "Grüße\n" + "x" * 3000 + "\n.\n..\nFrom me"})
    [arrived] = await smtp.messages.arrived()
    told = arrived.message
    assert arrived.tls
    assert arrived.recipients[:3] == ("a@example.com", "c@example.com", "d@example.com")
    assert outcomes(sent) == dict.fromkeys(arrived.recipients, Outcome.DELIVERED)
    assert sent.status == 250
    assert str(told["From"]) == "MSR Rëlay <relay@example.com>"
    assert (told["To"], told["Cc"], told["Bcc"]) == ("On Call <a@example.com>", "c@example.com", None)
    assert (told["Reply-To"], told["X-Priority"]) == ("soc@example.com", "1")
    assert told["Subject"] == PARTS["subject.txt"]
    assert told["Date"].datetime == message().at
    assert told["Auto-Submitted"] == "auto-generated"
    text, html = told.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert told.get_content_type() == "multipart/alternative"
    assert text.get_content() == "Grüße\n" + "x" * 3000 + "\n.\n..\nFrom me\n"
    assert html.get_content().strip() == PARTS["html"]
    assert max(map(len, arrived.raw.split(b"\r\n"))) <= 78
    assert arrived.raw.isascii()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_login(http: Http, make_smtp: MakeSmtp, pki: Pki, tls: Any) -> None:
    server = make_smtp(tls, ("relay", "pässword-1"))
    await deliver(mail(server, pki, smtp={"username": "relay", "password": "pässword-1"}), http)
    [arrived] = await server.messages.arrived()
    assert (arrived.tls, arrived.login) == (True, "relay")
    with pytest.raises(Refused, match=r"login 535: .*smtp.password") as caught:
        await deliver(mail(server, pki, smtp={"username": "relay", "password": "wrong-pass"}), http)
    assert caught.value.status == 535
    with pytest.raises(Refused, match="wants a login"):
        await deliver(mail(server, pki), http)


async def test_plain_smtp_when_that_is_meant(http: Http, make_smtp: MakeSmtp, pki: Pki) -> None:
    server = make_smtp("none")
    await deliver(mail(server, pki), http)
    assert not (await server.messages.arrived())[0].tls


async def test_one_refused_recipient_neither_stops_the_others_nor_makes_them_get_it_twice(
    http: Http, smtp: SmtpServer, pki: Pki
) -> None:
    channel = mail(smtp, pki, to=[f"{name}@example.com" for name in "abc"])
    smtp.refused_recipients = {"a@example.com": "550 5.1.1 No such user", "b@example.com": "451 4.7.1 Later"}
    sent = await deliver(channel, http)
    assert outcomes(sent) == {
        "a@example.com": Outcome.REJECTED,
        "b@example.com": Outcome.RETRY,
        "c@example.com": Outcome.DELIVERED,
    }
    assert {t.target: t.status for t in sent.targets} == {
        "a@example.com": 550,
        "b@example.com": 451,
        "c@example.com": 250,
    }
    smtp.refused_recipients = {}
    again = await deliver(channel, http, attempt=2, settled=frozenset({"a@example.com", "c@example.com"}))
    assert outcomes(again) == {"b@example.com": Outcome.DELIVERED}
    first, second = await smtp.messages.arrived(2)
    assert (first.recipients, second.recipients) == (("c@example.com",), ("b@example.com",))
    assert first.message["Message-ID"] == second.message["Message-ID"]


async def test_no_recipient_at_all_is_the_configurations_fault(
    http: Http, smtp: SmtpServer, pki: Pki
) -> None:
    smtp.refused_recipients = dict.fromkeys(("a@example.com", "b@example.com"), "550 5.1.1 No such user")
    with pytest.raises(Refused, match="correct `to`"):
        await deliver(mail(smtp, pki), http)
    with pytest.raises(Rejected):
        await deliver(mail(smtp, pki), http, settled=frozenset({"a@example.com"}))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [("554 5.6.0 No", Rejected), ("452 4.3.1 Full", Retryable), ("535 5.7.8 No", Refused)],
)
async def test_a_refused_mail_concerns_all_whose_address_was_taken(
    http: Http, smtp: SmtpServer, pki: Pki, reply: str, kind: type[Any]
) -> None:
    smtp.refused_data = reply
    with pytest.raises(kind) as caught:
        await deliver(mail(smtp, pki), http)
    assert outcomes(caught.value) == dict.fromkeys(("a@example.com", "b@example.com"), kind.outcome)


async def test_a_server_without_starttls_gets_nothing(http: Http, make_smtp: MakeSmtp, pki: Pki) -> None:
    server = make_smtp("none")
    with pytest.raises(Refused, match="offers no STARTTLS"):
        await deliver(mail(server, pki, smtp={"tls": "starttls"}), http)
    assert len(server.messages) == 0


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_an_unknown_authority(http: Http, make_smtp: MakeSmtp, pki: Pki, tls: Any) -> None:
    server = make_smtp(tls)
    with pytest.raises(Retryable, match=r"certificate is not accepted .*smtp.ca_file"):
        await deliver(mail(server, pki, smtp={"ca_file": None}), http)
    await deliver(mail(server, pki, smtp={"ca_file": None, "verify": False}), http)
    assert len(await server.messages.arrived()) == 1


async def test_tls_on_the_wrong_port(http: Http, make_smtp: MakeSmtp, pki: Pki) -> None:
    server = make_smtp("none")
    with pytest.raises(Retryable, match=r"TLS failed: check `smtp.tls`"):
        await deliver(mail(server, pki, smtp={"tls": "tls"}), http)


async def test_a_ca_file_that_is_none(http: Http, tmp_path: Path) -> None:
    for file in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        with pytest.raises(Refused, match=f"{file}: no PEM file"):
            await deliver(mail(smtp={"ca_file": file}), http)
        (tmp_path / "empty.pem").write_text("nothing")


@pytest.mark.parametrize("farewell", ["close", "421 4.3.0 Broken"])
async def test_a_taken_mail_is_sent_however_the_server_says_goodbye(http: Http, farewell: str) -> None:
    server = MailPeer({"QUIT": farewell})
    async with listening(server.converse) as port:
        channel = mail(smtp={"host": "127.0.0.1", "port": port, "tls": "none"})
        sent = await deliver(channel, http)
    assert set(outcomes(sent).values()) == {Outcome.DELIVERED}
    assert len(server.mails) == 1


async def test_a_server_that_gives_up_between_the_recipients(http: Http) -> None:
    server = MailPeer({"RCPT": "421 4.3.2 Shutting down"})
    async with listening(server.converse) as port:
        with pytest.raises(Retryable):
            await deliver(mail(smtp={"host": "127.0.0.1", "port": port, "tls": "none"}), http)


async def test_a_cancelled_send_leaves_no_connection(http: Http) -> None:
    reached = asyncio.Event()

    async def hold(writer: asyncio.StreamWriter) -> None:
        reached.set()
        await asyncio.Event().wait()

    server = MailPeer({}, hold)
    async with listening(server.converse) as port:
        channel = mail(smtp={"host": "127.0.0.1", "port": port, "tls": "none"})
        sending = asyncio.create_task(deliver(channel, http))
        await reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


def test_firing_repeats_and_resolve_are_one_thread() -> None:
    channel = mail()
    first = read(channel, id="dlv_1", thread="alr_1")
    repeat = read(channel, id="dlv_2", thread="alr_1", follows=True)
    resolved = read(channel, id="dlv_3", thread="alr_1", follows=True, status="resolved")
    assert repeat["In-Reply-To"] == resolved["In-Reply-To"] == first["Message-ID"]
    assert repeat["References"] == resolved["References"] == first["Message-ID"]
    assert len({first["Message-ID"], repeat["Message-ID"], resolved["Message-ID"]}) == 3
    assert repeat["Message-ID"] == "<dlv_2@example.com>"
    assert first["In-Reply-To"] is None
    assert read(channel, id="dlv_4", thread="alr_2")["Message-ID"] != first["Message-ID"]
    assert read(mail(name="other"), id="dlv_5", thread="alr_1")["Message-ID"] != first["Message-ID"]


def test_a_repeated_attempt_is_the_same_mail() -> None:
    channel = mail()
    assert channel.compose(message(attempt=1)) == channel.compose(message(attempt=2))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=400))
def test_no_text_injects_a_header_or_a_part(subject: str, text: str, html: str) -> None:
    told = read(mail(), parts={"subject.txt": subject, "txt": text, "html": html})
    usual = read(mail())
    assert set(told.keys()) - {"Content-Transfer-Encoding"} <= set(usual.keys())
    assert told["To"] == usual["To"]
    assert len(list(told.walk())) <= 3
    assert len(told["Subject"]) <= 200


@pytest.mark.parametrize(
    "subject", ["a\r\nBcc: x@example.com", "a\nBcc: x@example.com", "a\u2028Bcc: x", "a\x85b"]
)
def test_a_subject_is_one_line(subject: str) -> None:
    told = read(mail(), parts=PARTS | {"subject.txt": subject})
    assert told["Bcc"] is None
    assert told["Subject"].startswith("a ")


def test_an_html_part_that_is_too_large_is_left_out() -> None:
    told = read(mail(), parts=PARTS | {"html": "x" * 600_000, "txt": "y" * 300_000})
    assert told.get_content_type() == "text/plain"
    text = told.get_content().strip()
    assert text.endswith("… (cut)")
    assert len(text) == 200_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a@example.com", "a@example.com"),
        ("<a@example.com>", "a@example.com"),
        ("On Call <a@example.com>", "On Call <a@example.com>"),
        ('"MSR, Inc." <a@example.com>', '"MSR, Inc." <a@example.com>'),
        ("Döra <a@localhost>", "Döra <a@localhost>"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    assert str(read(mail(to=text))["To"]) == shown


def test_an_international_domain() -> None:
    channel = mail(to=["x@bücher.example"])
    assert "x@xn--bcher-kva.example" in channel.compose(message())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"smtp": {"tls": "none", "username": "relay", "password": "S3CR3T"}}, "not sent without encryption"),
        ({"smtp": {"username": "relay"}}, "belong together"),
        ({"smtp": {"password": "S3CR3T"}}, "belong together"),
        ({"smtp": {"host": "mail.example.com\r\nX"}}, "pattern"),
        ({"to": []}, "at least 1 item"),
        ({"to": ["a@example.com, b@example.com"]}, "not one mail address"),
        ({"to": ["a@example.com\r\nBcc: b@example.com"]}, "not one mail address"),
        ({"to": ["ärger@example.com"]}, "not one mail address"),
        ({"to": ["a@exa mple.com"]}, "not one mail address"),
        ({"to": ["oncall"]}, "not one mail address"),
        ({"to": ["<a@example.com"]}, "not one mail address"),
        ({"to": ["a@example.com>"]}, "not one mail address"),
        ({"to": ["a@b@example.com"]}, "not one mail address"),
        ({"from": "A\nB <relay@example.com>"}, "not one mail address"),
        ({"headers": {"Bcc": "x@example.com"}}, "set by the relay"),
        ({"headers": {"Content-Type": "text/html"}}, "set by the relay"),
        ({"headers": {"X": "a\nBcc: x@example.com"}}, "line breaks"),
        ({"headers": {"X:": "a"}}, "no name of a header"),
    ],
)
def test_configuration_errors(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        mail(**options)
    assert text in str(caught.value)
    assert "S3CR3T" not in str(caught.value)
