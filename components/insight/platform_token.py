"""Platform tokens, as components/platform-token makes them: JSON Web Tokens with an HMAC, for one context and a minute."""

import base64
import hashlib
import hmac
import json

HEADER = b'{"alg":"HS256","typ":"platform+jwt"}'
ISSUER = "urn:socar:platform"
LIFETIME = 60
LEEWAY = 60


def is_valid(token: str, keys: list[str], audience: str, now: int) -> bool:
    """Whether one of the keys signed the token for this context, and it has not expired."""
    message, _, signature = token.rpartition(".")
    header, _, claims = message.partition(".")
    if header != _encode(HEADER) or not any([_is_signed(message, signature, key) for key in keys]):
        return False
    try:
        found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        is_for_us = found["iss"] == ISSUER and found["aud"] == audience
        return is_for_us and now - LEEWAY <= found["exp"] <= now + LIFETIME + LEEWAY
    except (ValueError, KeyError, TypeError):
        return False


def _is_signed(message: str, signature: str, key: str) -> bool:
    code = hmac.digest(key.encode(), message.encode(), hashlib.sha256)
    return hmac.compare_digest(_encode(code).encode(), signature.encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
