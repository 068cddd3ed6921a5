"""How platforms sign requests; each checked by its published vector in the tests."""

import hashlib
import hmac
from collections.abc import Mapping


def top(parameters: Mapping[str, str], secret: str) -> str:
    """TOP: over every parameter but `sign`, sorted, name and value; by `sign_method`.

    Source: open.taobao.com, article 101617.
    """
    text = _joined(parameters, "sign")
    match parameters.get("sign_method", "md5"):
        case "hmac":
            return hmac.digest(secret.encode(), text, "md5").hex().upper()
        case "hmac-sha256":
            return hmac.digest(secret.encode(), text, "sha256").hex().upper()
    whole = secret.encode() + text + secret.encode()
    return hashlib.md5(whole, usedforsecurity=False).hexdigest().upper()


def aop(path: str, parameters: Mapping[str, str], secret: str) -> str:
    """1688: HMAC-SHA1 over the path from "param2" on and every parameter but the signature.

    Source: open.1688.com/doc/signature.htm.
    """
    text = path.encode() + _joined(parameters, "_aop_signature")
    return hmac.digest(secret.encode(), text, "sha1").hex().upper()


def _joined(parameters: Mapping[str, str], without: str) -> bytes:
    return "".join(name + value for name, value in sorted(parameters.items()) if name != without).encode()
