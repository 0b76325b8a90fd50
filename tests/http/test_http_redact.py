"""Masking of secrets and URLs."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from relay.http import origin, redact


def test_secrets_are_masked_however_they_are_written():
    secret = 'p"ä/ss wörd'
    for written in (
        secret,
        quote(secret, safe=""),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
    ):
        shown = redact(f"before {written} after", [SecretStr(secret)])
        assert shown.replace('"', "") == "before *** after"


def test_longer_secrets_go_first_and_masks_are_not_masked():
    assert redact("abc abcdef * ", ["abc", "abcdef", "*"]) == "*** *** *** "


def test_no_secret_changes_nothing():
    assert redact("text", [""]) == redact("text", []) == "text"


@given(st.text(), st.text(min_size=1).filter(lambda s: s not in "***" * 2), st.text())
def test_a_secret_never_survives(before, secret, after):
    shown = redact(before + secret + after, [secret])
    assert secret not in shown.replace("***", "\0" if "\0" not in secret else "\1")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", "https://hooks.slack.com:443"),
        ("http://user:pass@host:8080/?token=x#y", "http://host:8080"),
        ("http://[::1]:80/x", "http://[::1]:80"),
        ("discord://id/token", "discord://id"),
        ("nonsense", "an invalid URL"),
        ("http://host:port/secret", "an invalid URL"),
        ("", "an invalid URL"),
    ],
)
def test_origin(url, shown):
    assert origin(url) == shown
