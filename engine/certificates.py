"""The certificate that files are signed with: read, checked, and made for trying things out."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.config import Settings
from engine.errors import Invalid, Problem

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
OWNER = "Tessera development"
DAYS = 825


class Certificate(Struct, frozen=True):
    """A certificate with those above it, its own first, and its key."""

    chain: bytes
    key: bytes
    algorithm: str
    subject: str
    until: datetime.datetime

    def __repr__(self) -> str:
        return f"Certificate({self.subject!r})"


def certificate(config: Settings) -> Certificate | None:
    """The configured one, or Invalid in one sentence."""
    if config.certificate is None and config.certificate_key is None:
        return None
    for name in ("certificate", "certificate_key"):
        if getattr(config, name) is None:
            remedy = "Set both, or neither. `make dev-cert` makes a pair."
            raise unfit(name, "nothing", "a PEM file, since the other is set", remedy)
    assert config.certificate is not None
    assert config.certificate_key is not None
    chain = pem_of(config.certificate, "certificate")
    key = pem_of(config.certificate_key, "certificate_key")
    return checked(chain, key)


def checked(chain: bytes, key: bytes) -> Certificate:
    """Both, if they belong together and may sign today."""
    from cryptography import x509

    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise unfit("certificate", f"no certificate ({error})", "PEM, its own certificate first") from None
    private = private_key(key)
    if private.public_key() != leaf.public_key():
        raise unfit(
            "certificate_key", "the key of another certificate", "the key of the first one in the file"
        )
    now = datetime.datetime.now(datetime.UTC)
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        span = f"{leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
        raise unfit("certificate", f"one valid from {span}", "one that is valid today")
    return Certificate(chain, key, algorithm(private), name_of(leaf), leaf.not_valid_after_utc)


def private_key(key: bytes) -> PrivateKeyTypes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(key, None)
    except TypeError:
        remedy = "Remove its passphrase: openssl pkey -in KEY -out NEW."
        raise unfit("certificate_key", "an encrypted key", "one without a passphrase", remedy) from None
    except ValueError:  # whose text may tell of the key
        raise unfit("certificate_key", "no private key", "PEM") from None


def algorithm(key: PrivateKeyTypes) -> str:
    """What the standard calls signing with such a key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "ps256"
    raise unfit(
        "certificate_key", type(key).__name__.strip("_"), "P-256, P-384, P-521, Ed25519 or RSA from 2048 bits"
    )


def name_of(certificate: x509.Certificate) -> str:
    return ", ".join(str(part.value) for part in certificate.subject)


def pem_of(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unfit(setting, f"{path.name}, which cannot be read: {error.strerror}", "a PEM file") from None


def unfit(setting: str, got: str, want: str, remedy: str = "See docs/trust.md.") -> Invalid:
    return Invalid([Problem("bad_certificate", input=setting, got=got, want=want, remedy=remedy)])


# -- for trying things out


def make(folder: Path) -> list[Path]:
    """Write a certificate, its key, and the root that vouches for it. Nobody else trusts that root."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = issued("root", root_key, "root", root_key, root=True)
    leaf = issued("signer", key, "root", root_key, root=False)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = [folder / name for name in ("certificate.pem", "certificate.key", "root.pem")]
    contents = leaf.public_bytes(pem) + root.public_bytes(pem), secret, root.public_bytes(pem)
    for file, content in zip(files, contents, strict=True):
        file.touch(mode=0o600, exist_ok=False)  # one that is there may be in use
        file.write_bytes(content)
    return files


def issued(
    name: str, key: ec.EllipticCurvePrivateKey, by: str, with_: ec.EllipticCurvePrivateKey, *, root: bool
) -> x509.Certificate:
    """A certificate of a key, as the standard wants it of a signer or of the root above."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(USAGES, False) | ({"key_cert_sign": True, "crl_sign": True} if root else {})
    usage["digital_signature"] = not root
    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(by))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(with_.public_key()), critical=False)
    )
    if not root:
        purpose = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
        made = made.add_extension(purpose, critical=False)
    return made.sign(with_, hashes.SHA256())


USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def named(name: str) -> x509.Name:
    from cryptography import x509

    parts = {x509.oid.NameOID.ORGANIZATION_NAME: OWNER, x509.oid.NameOID.COMMON_NAME: f"{OWNER} {name}"}
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts.items()])


def main(folder: Path) -> int:
    """What `make dev-cert` does."""
    try:
        chain, key, root = make(folder)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}. Move it away, or name another folder.", file=sys.stderr)
        return 1
    print("A certificate to try content credentials with. To everybody else its signer is untrusted.")
    print(f"TESSERA_CERTIFICATE={chain}\nTESSERA_CERTIFICATE_KEY={key}")
    print(f"TESSERA_TRUSTED_SIGNERS={root}   # only where you want to see your own files as trusted")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "data/dev-cert")))
