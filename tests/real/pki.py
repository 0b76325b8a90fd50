"""A certificate authority for the run, as files and as TLS contexts."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Pki:
    """An authority and a server certificate for localhost, 127.0.0.1 and ::1; a client certificate too."""

    authority: trustme.CA
    server: trustme.LeafCert
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Pki":
        authority = trustme.CA()
        server = authority.issue_cert("localhost", "127.0.0.1", "::1")
        client = authority.issue_cert("relay@example.com")
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        for name, leaf in (("server", server), ("client", client)):
            leaf.private_key_pem.write_to_path(str(folder / f"{name}.key"))
            chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
            (folder / f"{name}.pem").write_bytes(chain)
        return cls(authority, server, folder)

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def server_cert(self) -> Path:
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"

    @property
    def client_cert(self) -> Path:
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"

    def server_context(self, *, ask_client: bool = False) -> ssl.SSLContext:
        """For a server; with `ask_client` it insists on a client certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.configure_cert(context)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        """For a client that trusts this authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca_file))
