"""A mail as it goes over the wire: pure ASCII, folded, and impossible to inject headers into."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from relay.channels.base import cut
from relay.model.delivery import Message
from relay.model.ids import stable_id
from relay.model.text import storable

SUBJECT: Final = 200
TEXT: Final = 200_000
HTML: Final = 500_000
_POLICY: Final = SMTP.clone(cte_type="7bit")
_ADDRESS: Final = re.compile(r'(?:"([^"<>]*)"|([^"<>@,]*?)) *<([^<> ]+)>|([^<> ]+)')
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)\w([\w-]*\w)?(\.\w([\w-]*\w)?)*", re.A)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every mail of a channel has in common. Addresses are in ASCII."""

    channel: str
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    headers: Mapping[str, str]


def parse_address(text: str) -> Address:
    """Read `oncall@example.com` or `On Call <oncall@example.com>`; ValueError for anything else.

    An international domain is put into its ASCII form. The part before the `@` has to be ASCII: the other
    would need every server on the way to know SMTPUTF8.
    """
    found = _ADDRESS.fullmatch(text)
    name, address = (found[1] or found[2] or "", found[3] or found[4]) if found else ("", "")
    local, _, domain = address.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    if not (_LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)) or not text.isprintable():
        raise ValueError(
            f"{text[:80]!r} is not one mail address: write oncall@example.com or On Call <oncall@example.com>"
        )
    return Address(storable(name), local, domain)


def compose(envelope: Envelope, message: Message) -> str:
    """The whole mail, CRLF between its lines. The same message gives the same mail, but for its Date.

    Text and HTML are cut to a size that mail servers take. The first mail of a thread has the Message-ID that
    all later ones refer to, so it can be known without having been kept.
    """
    mail = EmailMessage(_POLICY)
    mail["From"] = envelope.sender
    for name, addresses in (("To", envelope.to), ("Cc", envelope.cc), ("Reply-To", envelope.reply_to)):
        if addresses:
            mail[name] = addresses
    mail["Subject"] = one_line(message.parts["subject.txt"])
    mail["Date"] = format_datetime(message.at)
    _thread(mail, envelope, message)
    mail["Auto-Submitted"] = "auto-generated"
    for name, value in envelope.headers.items():
        mail[name] = value
    # Quoted-printable has no bare "=": no text can hold the boundary, which is therefore not random.
    mail.set_content(cut(storable(message.parts["txt"]), TEXT), cte="quoted-printable")
    html = storable(message.parts["html"])
    # HTML cannot be cut anywhere; the text says it all.
    if html.strip() and len(html) <= HTML:
        mail.add_alternative(html, subtype="html", cte="quoted-printable")
        mail.set_boundary(f"=_{message.id}")
    return mail.as_bytes().decode("ascii")


def doubts(message: Message) -> Iterator[str]:
    """Yield what of a mail is cut or left out."""
    if len(message.parts["txt"]) > TEXT:
        yield f"the text has more than {TEXT} characters: the rest is cut"
    if len(message.parts["html"]) > HTML:
        yield f"the HTML has more than {HTML} characters: it is left out, and the text stands for it"
    if len(" ".join(message.parts["subject.txt"].split())) > SUBJECT:
        yield f"the subject has more than {SUBJECT} characters: the rest is cut"


def one_line(text: str) -> str:
    """The text as a subject: one printable line, at most `SUBJECT` characters of it."""
    printable = "".join(c if c.isprintable() else " " for c in storable(text))
    return cut(" ".join(printable.split()), SUBJECT)


def _thread(mail: EmailMessage, envelope: Envelope, message: Message) -> None:
    domain = envelope.sender.domain
    root = f"<{stable_id('thr', envelope.channel, message.thread)}@{domain}>"
    if message.follows:
        mail["Message-ID"] = f"<{message.id}@{domain}>"
        mail["In-Reply-To"] = root
        mail["References"] = root
    else:
        mail["Message-ID"] = root
