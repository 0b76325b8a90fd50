"""How to get out: what a cluster or a channel says about TLS, proxy and private addresses."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a server. Equal routes share SSL contexts and connections."""

    ca_file: Path | None = None
    """PEM file of the authorities to trust instead of the system's."""
    client_cert: Path | None = None
    """PEM file of the certificate (chain) to show; may hold the key too."""
    client_key: Path | None = None
    """PEM file of that certificate's key, unencrypted."""
    verify: bool = True
    """False: any certificate will do. Unsafe."""
    proxy: SecretStr | None = None
    """`http://[user:password@]host:port`. The environment's proxy variables are not read."""
    allow_private: bool = False
    """True: the server may have a private, loopback or link-local address."""
