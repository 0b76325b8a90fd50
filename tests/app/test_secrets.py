"""Every secret of the configuration is known to the log."""

import pytest

from relay.app.build import secrets
from relay.settings import Settings


@pytest.mark.parametrize(
    "store", ["postgresql://relay:st0re-pw@db/relay", "postgresql://db/relay?user=relay&password=st0re-pw"]
)
def test_the_stores_password_is_a_secret_by_itself(store: str) -> None:
    assert "st0re-pw" in secrets(Settings.model_validate({"store": store}))


def test_those_of_clusters_and_channels_too() -> None:
    cluster = {
        "name": "prod",
        "url": "https://msr.example.com",
        "password": "cluster-pw",
        "proxy": "http://ann:proxy-pw@proxy:3128",
    }
    hook = {
        "name": "h",
        "kind": "webhook",
        "url": "https://example.com/x",
        "secrets": ["whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtMTIzNDU2"],
    }
    found = secrets(Settings.model_validate({"clusters": [cluster], "channels": [hook]}))
    assert {"cluster-pw", "proxy-pw"} <= set(found)
    assert any("c2VjcmV0" in each for each in found)


def test_those_of_heartbeats_too() -> None:
    beat = {
        "name": "h",
        "url": "https://hc.example.com/5f0c8a1e-uuid",
        "proxy": "http://ann:proxy-pw@proxy:3128",
    }
    found = secrets(Settings.model_validate({"heartbeats": [beat]}))
    assert {"https://hc.example.com/5f0c8a1e-uuid", "5f0c8a1e-uuid", "proxy-pw"} <= set(found)


def test_those_of_hooks_too() -> None:
    hook = {"name": "h", "kind": "msr", "cluster": "prod", "secret": "the-secret-of-a-hook"}
    assert "the-secret-of-a-hook" in secrets(Settings.model_validate({"hooks": [hook]}))


def test_a_file_is_no_secret() -> None:
    assert secrets(Settings.model_validate({"store": "sqlite:///relay.db"})) == ()
