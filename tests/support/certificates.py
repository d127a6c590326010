"""Certificates for the test index, made when they are needed: one that the test authority signed, one that nobody trusts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form: `authority` for SSL_CERT_FILE, `good` and `bad` (key and chain) for the server."""

    authority: Path
    good: Path
    bad: Path


def make_certificates(directory: Path) -> Certificates:
    """Make an authority and the two certificates for the loopback names."""
    import trustme  # noqa: PLC0415  # brings in cryptography, 0.1 s, for the few tests that speak TLS

    made = Certificates(directory / "authority.pem", directory / "good.pem", directory / "bad.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(made.authority))
    names = ("127.0.0.1", "localhost")
    authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(made.good))
    trustme.CA().issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(made.bad))
    return made
