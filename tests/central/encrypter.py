"""What ODK Collect does with a finished form of an encrypted project, after ODK's encrypted-forms specification."""

import base64
import hashlib
import os
from xml.sax.saxutils import escape, quoteattr

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_der_public_key

_OAEP = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)


def encrypt_submission(
    xml: bytes,
    public_key: str,
    *,
    form_id: str,
    version: str,
    instance_id: str,
    deprecated_id: str | None = None,
    files: dict[str, bytes] | None = None,
) -> tuple[bytes, dict[str, bytes]]:
    """Return the envelope and the files to send with it. `public_key`: base64 of the DER, as Central lists it."""
    public = load_der_public_key(base64.b64decode(public_key))
    assert isinstance(public, RSAPublicKey)
    key = os.urandom(32)
    sealed_key = base64.b64encode(public.encrypt(key, _OAEP)).decode()
    seed = bytearray(hashlib.md5(instance_id.encode() + key).digest())  # noqa: S324
    named = {**(files or {}), "submission.xml": xml}
    sent = {}
    for counter, (name, content) in enumerate(named.items()):
        seed[counter % 16] = (seed[counter % 16] + 1) % 256
        sent[f"{name}.enc"] = _encrypt(content, key, bytes(seed))
    digests = [f"{name}::{hashlib.md5(content).hexdigest()}" for name, content in named.items()]  # noqa: S324
    signed = "\n".join([form_id, version, sealed_key, instance_id, *digests]) + "\n"
    signature = base64.b64encode(public.encrypt(hashlib.md5(signed.encode()).digest(), _OAEP)).decode()  # noqa: S324
    deprecated = "" if deprecated_id is None else f"<orx:deprecatedID>{deprecated_id}</orx:deprecatedID>"
    media = "".join(f"<media><file>{escape(name)}.enc</file></media>" for name in files or {})
    envelope = (
        f'<data id={quoteattr(form_id)} version={quoteattr(version)} encrypted="yes" '
        'xmlns="http://opendatakit.org/submissions">'
        f"<base64EncryptedKey>{sealed_key}</base64EncryptedKey>"
        '<orx:meta xmlns:orx="http://openrosa.org/xforms">'
        f"<orx:instanceID>{instance_id}</orx:instanceID>{deprecated}</orx:meta>{media}"
        "<encryptedXmlFile>submission.xml.enc</encryptedXmlFile>"
        f"<base64EncryptedElementSignature>{signature}</base64EncryptedElementSignature></data>"
    )
    return envelope.encode(), sent


def _encrypt(content: bytes, key: bytes, seed: bytes) -> bytes:
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES256(key), CFB(seed)).encryptor()
    return encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()
