"""Which keys count, and how often: as notary has it, and never more work than there are keys."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from relay.trust import InvalidError, State, examine
from relay.trust.examine import LARGE
from relay.trust.keys import canonical_id, load

from .author import Author, Book, Delegation, keys, publish, refused, role, signed
from .stored import Stored

RSA_3072 = rsa.generate_private_key(65537, 3072)
SHA1_CERTIFICATE = b"""\
-----BEGIN CERTIFICATE-----
MIIBbDCCARSgAwIBAgIUNcR11dr78Nst+o20+lu1idtNkKUwCQYHKoZIzj0EATAM
MQowCAYDVQQDDAF4MCAXDTI2MTEyNTA4MzQyNloYDzIxMjYxMTAxMDgzNDI2WjAM
MQowCAYDVQQDDAF4MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAcsfeNSj1ePI
dR0oWoEKLTlsg+3LajDBROiCF1i0tzoRoEN8sokZzexw80f81Pety4TfLHS50Q/7
F0STBv+n6KNTMFEwHQYDVR0OBBYEFAj0jze1F26nbHMzSWJsfSUkGgoqMB8GA1Ud
IwQYMBaAFAj0jze1F26nbHMzSWJsfSUkGgoqMA8GA1UdEwEB/wQFMAMBAf8wCQYH
KoZIzj0EAQNHADBEAiB/du6fxkoGrK8im0QRTO3geyqi4yJ32LJ6V7TdX5r5rAIg
bT5JPDaDk6ekimrEidlxoG7uLSrxc6oU+T5XDuq1Liw=
-----END CERTIFICATE-----
"""
RSA_1024 = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    "author",
    [
        Author.make("ecdsa"),
        Author.make("ecdsa", curve=ec.SECP384R1()),
        Author.make("ecdsa", curve=ec.SECP521R1()),
        Author.make("ecdsa-x509"),
        Author.make("rsa-x509"),
        Author.of(RSA_3072, "rsa"),
        Author(RSA_3072, "rsa", Author.of(RSA_3072, "rsa").public, "rsapkcs1v15"),
        Author.make("ed25519"),
    ],
    ids=lambda author: f"{author.kind} {author.method}",
)
async def test_kinds_of_keys(author: Author) -> None:
    found = await publish(Book(targets_key=author))
    assert found.state.signers["targets"] == (author.id,)
    assert found.state.public_keys[author.id][0] == author.kind
    assert found.checks == 4
    assert State.read(found.state.write()) == found.state


@pytest.mark.parametrize(
    "author",
    [
        Author.of(RSA_1024, "rsa"),
        Author.of(RSA_3072, "ecdsa"),
        Author.make("ecdsa", curve=ec.BrainpoolP256R1()),
        Author.make("dsa"),
        Author(Author.make().key, "ecdsa", b"nothing", "ecdsa"),
        Author(Author.make().key, "ecdsa", b"", "ecdsa"),
        Author(Author.make().key, "ecdsa-x509", b"-----BEGIN CERTIFICATE-----\n", "ecdsa"),
        Author(Author.make().key, "ed25519", b"short", "ecdsa"),
        Author(*(getattr(Author.make("ecdsa"), name) for name in ("key", "kind", "public")), "eddsa"),
        Author(*(getattr(Author.make("ecdsa"), name) for name in ("key", "kind", "public")), "none"),
    ],
    ids=lambda author: f"{author.kind} {author.method} {len(author.public)}",
)
async def test_keys_that_are_of_no_use(author: Author) -> None:
    await refused(Book(targets_key=author), role="targets", match="0 of its 1 keys signed it; 1 must")


@pytest.mark.parametrize(
    ("author", "usable"),
    [
        (Author.make("ecdsa-x509", name="msr.example.com/prod/*"), True),
        (Author.make("ecdsa-x509", name="*"), True),
        (Author.of(Author.make().key, "ecdsa-x509", days=-1), True),  # expired: a fact
        (Author.make("ecdsa-x509", name="msr.example.com/prod/other"), False),
        (Author.make("ecdsa-x509", name="msr.example.com/prod"), False),
        (Author.make("ecdsa"), False),
        (Author.make("ed25519"), False),
        (Author.of(Author.make().key, "ecdsa-x509", authority=True), False),
    ],
)
async def test_a_root_key_is_in_a_certificate_for_the_repository(author: Author, usable: bool) -> None:
    book = Book(root_key=author)
    if usable:
        found = await publish(book)
        assert set(found.state.certificates) == {author.id}
    else:
        await refused(book, role="root", match="0 of its 1 keys signed it; 1 must")


async def test_a_certificate_with_its_authority_behind_it() -> None:
    leaf, authority = Author.make("ecdsa-x509"), Author.of(Author.make().key, "ecdsa-x509", authority=True)
    chain = Author(leaf.key, leaf.kind, leaf.public + authority.public, leaf.method)
    assert (await publish(Book(root_key=chain))).state.signers["root"] == (chain.id,)
    wrong = Author(leaf.key, leaf.kind, authority.public + leaf.public, leaf.method)
    await refused(Book(root_key=wrong), role="root", match="0 of its 1 keys")
    two = Author(leaf.key, leaf.kind, leaf.public + Author.make("ecdsa-x509").public, leaf.method)
    await refused(Book(root_key=two), role="root", match="0 of its 1 keys")


async def test_the_repository_of_a_root_counts_only_if_one_is_asked_for() -> None:
    source = Stored()
    digest = Book().publish(source)
    assert (await examine(source, digest, None)).state.sha256 == digest
    bare = Book(root_key=Author.make("ecdsa"))
    assert (await examine(source, bare.publish(source), None)).state.certificates == {}
    with pytest.raises(InvalidError, match="0 of its 1 keys"):
        await examine(source, digest, None, gun="msr.example.com/prod/app2")


def shared(book: Book, threshold: int, *authors: Author) -> None:
    """Gives targets to several, so many of whom must sign."""
    root = book.root()
    root["keys"] |= keys(*authors)
    root["roles"]["targets"] = role(*authors, threshold=threshold)
    book.raw["root"] = signed(root, book.root_key)


async def test_an_ecdsa_signature_has_the_length_of_its_curve() -> None:
    book = Book()
    document = json.loads(signed(book.targets(), book.targets_key))
    exact = base64.b64decode(document["signatures"][0]["sig"])
    padded = exact[:32] + b"\0" + exact[32:]
    document["signatures"][0]["sig"] = base64.b64encode(padded).decode()
    book.raw["targets"] = json.dumps(document).encode()
    await refused(book, role="targets", match="0 of its 1 keys")


def test_a_certificate_signed_with_sha1() -> None:
    assert load("ecdsa-x509", base64.b64encode(SHA1_CERTIFICATE).decode()) is None
    assert load("ecdsa-x509", base64.b64encode(Author.make("ecdsa-x509").public).decode()) is not None


def test_an_exponent_that_would_make_verifying_slow() -> None:
    numbers = RSA_3072.public_key().public_numbers()
    for exponent, usable in [(2**31 - 1, True), (2**31 + 1, False)]:
        key = rsa.RSAPublicNumbers(exponent, numbers.n).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert (load("rsa", base64.b64encode(der).decode()) is not None) is usable


async def test_thresholds() -> None:
    alice, bob, carol = (Author.make() for _ in range(3))
    book = Book()
    shared(book, 2, alice, bob, carol)
    book.raw["targets"] = signed(book.targets(), carol, alice)
    found = await publish(book)
    assert found.state.signers["targets"] == tuple(sorted([alice.id, carol.id]))
    assert found.state.roles["targets"].threshold == 2
    for signers in [(alice,), (alice, alice), (alice, Author.make())]:
        book.raw["targets"] = signed(book.targets(), *signers)
        await refused(book, role="targets", match="1 of its 3 keys signed it; 2 must")


async def test_one_key_in_two_certificates_counts_once() -> None:
    key = Author.make().key
    one, two, bare = (
        Author.of(key, kind, name)
        for kind, name in [("ecdsa-x509", "one"), ("ecdsa-x509", "two"), ("ecdsa", "")]
    )
    assert len({one.id, two.id, bare.id}) == 3
    public = [(each.kind, each.document["keyval"]["public"]) for each in (one, two, bare)]
    assert {canonical_id(*each) for each in public} == {bare.id}
    book = Book()
    shared(book, 2, one, two, bare)
    book.raw["targets"] = signed(book.targets(), one, two, bare)
    await refused(book, role="targets", match="1 of its 3 keys signed it; 2 must")


async def test_a_thousand_bogus_signatures_are_not_checked() -> None:
    book = Book()
    book.targets_key = Author.of(RSA_3072, "rsa")
    document = json.loads(signed(book.targets(), book.targets_key))
    good = document["signatures"][0]
    bogus = {"keyid": book.targets_key.id, "method": "rsapss", "sig": "AAAA" * 128}
    # Of strangers, and many of the same key: its first one counts.
    document["signatures"] = [{**bogus, "keyid": f"{n:064x}"} for n in range(90)] + [good] + [bogus] * 100
    book.raw["targets"] = json.dumps(document).encode()
    assert (await publish(book)).checks == 4
    document["signatures"] = [bogus] * 100 + [good]
    book.raw["targets"] = json.dumps(document).encode()
    await refused(book, role="targets", match="0 of its 1 keys")
    document["signatures"] = [bogus] * 201
    book.raw["targets"] = json.dumps(document).encode()
    await refused(book, role="targets", match="more than 200 signatures")


async def test_signature_checks_are_bounded() -> None:
    book = Book()
    many = [Author.make() for _ in range(40)]
    for n in range(26):
        book.delegations[f"targets/d{n}"] = Delegation.by(*many, tags={})
    await refused(book, role="targets/d24", match="too many signatures would have to be checked")


async def test_what_is_hashed_for_signatures_is_bounded() -> None:
    """ed25519 hashes all of a document for each of its signatures."""
    book = Book()
    many = [Author.make("ed25519") for _ in range(40)]
    document = book.head("Targets", targets={}, x="x" * (LARGE - 20_000))
    book.delegations["targets/d"] = Delegation.by(*many, tags={})
    bogus = base64.b64encode(bytes(64)).decode()
    signatures = [{"keyid": each.id, "method": "eddsa", "sig": bogus} for each in many]
    book.raw["targets/d"] = json.dumps({"signed": document, "signatures": signatures}).encode()
    assert len(book.raw["targets/d"]) < LARGE
    await refused(book, role="targets/d", match="too many signatures would have to be checked")
