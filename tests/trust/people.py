"""Delegates of a repository: people with keys and certificates of their own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.real.msr import Msr


def certificate(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    name: str,
    *,
    authority: bool = False,
    days: int = 365,
    serial: int | None = None,
) -> bytes:
    """A self-signed certificate (PEM)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now - timedelta(days=800))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


class Delegate:
    """Somebody whose key the administrator's client has, to sign as a delegation."""

    def __init__(self, msr: Msr, folder: Path, name: str, *, rsa_key: bool = False) -> None:
        self.role = f"targets/{name}"
        self.file = folder / f"{name}.crt"
        key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        self.file.write_bytes(certificate(key, name))
        private = folder / f"{name}.key"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        msr.client.run("key", "import", str(private), "--role", self.role)


def listed(msr: Msr, gun: str) -> list[tuple[str, str, int, str]]:
    """What `notary list` prints: name, digest, size and role."""
    rows = [line.split() for line in msr.client.run("list", gun).splitlines()[2:]]
    return sorted((name, digest, int(size), role) for name, digest, size, role in filter(None, rows))
