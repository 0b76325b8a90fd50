"""Links: what may be read from one, by whom, for how long; and the key that they are signed with."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from relay.server.links import KEY_BYTES, Link, LinkError, Links, link_key
from relay.store import Store
from tests.support.clock import ManualClock

LIFETIME = timedelta(days=3)
KEY = "k" * 64


SIGNED = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


def made(
    clock: ManualClock | None = None, key: str = KEY, public_url: str | None = "https://r.test"
) -> Links:
    return Links(key, clock or ManualClock(), LIFETIME, public_url)


def test_a_link_is_read_as_it_was_made() -> None:
    url = made().acknowledge("alr_1", "Bereitschaft ☎")
    assert url is not None
    assert url.startswith("https://r.test/ack/")
    assert made().read(url.rpartition("/")[2]) == Link("alr_1", "Bereitschaft ☎", expired=False)


def test_links_of_an_earlier_release_are_still_read() -> None:
    token = "WyJhbHJfMSIsIm9wcyJd.awSpUA.hI8bAxTbNv313sgeg8oB2n3FlOpDp3d0Nt_J3VosFzQ"
    assert made().read(token) == Link("alr_1", "ops", expired=False)


def test_without_a_public_url_there_are_none() -> None:
    assert made(public_url=None).acknowledge("alr_1", "ops") is None


def test_it_expires_by_the_clock_that_is_handed_in() -> None:
    clock = ManualClock()
    token = made(clock).token("alr_1", "ops")
    clock.jump(LIFETIME.total_seconds())
    assert not made(clock).read(token).expired
    clock.jump(1)
    assert made(clock).read(token).expired


def test_a_clock_that_was_set_back_takes_nobodys_link_away() -> None:
    clock = ManualClock()
    token = made(clock).token("alr_1", "ops")
    clock.jump(-3600)
    assert not made(clock).read(token).expired


def test_another_key_or_another_purpose_is_a_forgery() -> None:
    for token in (
        made(key="another").token("alr_1", "ops"),
        URLSafeTimedSerializer(KEY, "another purpose", signer_kwargs=SIGNED).dumps(["alr_1", "ops"]),
        URLSafeTimedSerializer(KEY, signer_kwargs=SIGNED).dumps(["alr_1", "ops"]),
    ):
        with pytest.raises(LinkError):
            made().read(str(token))


TOKEN = made().token("alr_5fw3kq7yjxh2", "ops")


@given(
    st.text(max_size=3000) | st.text("abcXYZ019-_.", max_size=300) | st.from_regex(r"[\w.-]*\.[\w-]*\.[\w-]*")
)
def test_what_nobody_signed_is_refused(token: str) -> None:
    with pytest.raises(LinkError):
        made().read(token)


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_no_character_can_be_changed(at: int, char: str) -> None:
    changed = TOKEN[:at] + char + TOKEN[at + 1 :]
    try:
        link = made().read(changed)
    except LinkError:
        return
    # The last character of base64 has spare bits, which say nothing.
    assert link == made().read(TOKEN)
    assert changed == TOKEN or at == len(TOKEN) - 1


@given(st.integers(0, len(TOKEN) - 1))
def test_nothing_can_be_left_out(at: int) -> None:
    for part in (TOKEN[:at], TOKEN[:at] + TOKEN[at + 1 :]):
        with pytest.raises(LinkError):
            made().read(part)


def counting() -> tuple[Callable[[int], bytes], list[int]]:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return secrets.token_bytes(count)

    return random_bytes, asked


async def test_the_key_is_random_and_stays(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    random_bytes, asked = counting()
    first = Store(url)
    key = await link_key(first, random_bytes)
    assert asked == [KEY_BYTES] == [32]
    assert len(bytes.fromhex(key)) == 32
    first.close()
    again = Store(url)
    assert await link_key(again, secrets.token_bytes) == key
    again.close()


async def test_two_relays_on_one_store_have_the_same(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    one, other = Store(url), Store(url)
    assert await link_key(one, secrets.token_bytes) == await link_key(other, secrets.token_bytes)
    one.close()
    other.close()


async def test_two_stores_have_two(tmp_path: Path) -> None:
    one, other = Store(f"sqlite:///{tmp_path / '1.db'}"), Store(f"sqlite:///{tmp_path / '2.db'}")
    assert await link_key(one, secrets.token_bytes) != await link_key(other, secrets.token_bytes)
    one.close()
    other.close()
