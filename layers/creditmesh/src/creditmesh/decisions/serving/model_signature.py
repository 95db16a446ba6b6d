"""Signatures of artefacts by KMS keys: access to the key decides who may release models.

The KMS client is an argument: this package imports nothing of AWS.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

from creditmesh.risk.artefact import Verify, seal

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

ALGORITHM: Literal["ECDSA_SHA_256"] = "ECDSA_SHA_256"

Sign = Callable[[str], dict[str, str]]
"""Signs a content hash; returns the artefact's ``signature``."""


def kms_sign(client: KMSClient, key_id: str) -> Sign:
    """Return a signer with the KMS key of that id, ARN or alias; signatures name the key by its ARN."""

    def sign(content_hash: str) -> dict[str, str]:
        made = client.sign(KeyId=key_id, Message=content_hash.encode(), MessageType="RAW", SigningAlgorithm=ALGORITHM)
        value = base64.b64encode(made["Signature"]).decode()
        return {"key_id": made["KeyId"], "algorithm": ALGORITHM, "value": value}

    return sign


def kms_verify(client: KMSClient, trusted_keys: Collection[str]) -> Verify:
    """Return a verifier that accepts signatures by ``trusted_keys`` (ARNs).

    Signatures by other keys are rejected without a call. An outage of KMS raises the client's error.
    """
    trusted = frozenset(trusted_keys)

    def verify(content_hash: str, signature: Mapping[str, str]) -> bool:
        if signature["key_id"] not in trusted or signature["algorithm"] != ALGORITHM:
            return False
        try:
            value = base64.b64decode(signature["value"], validate=True)
        except (binascii.Error, ValueError):
            return False
        if not 0 < len(value) <= _LONGEST:
            return False
        try:
            answer = client.verify(
                KeyId=signature["key_id"],
                Message=content_hash.encode(),
                MessageType="RAW",
                Signature=value,
                SigningAlgorithm=ALGORITHM,
            )
        except client.exceptions.KMSInvalidSignatureException:
            return False
        return bool(answer["SignatureValid"])

    return verify


def signed(document: Mapping[str, Any], sign: Sign) -> dict[str, Any]:
    sealed = seal(document)
    return {**sealed, "signature": sign(sealed["content_hash"])}


_LONGEST = 72
"""Maximum DER length of two 256-bit numbers."""
