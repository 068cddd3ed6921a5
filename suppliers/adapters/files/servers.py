"""How SFTP servers are named in a configuration."""

import base64
from urllib.parse import urlsplit

from suppliers import guard
from suppliers.errors import BlockedAddress, NotConfigured

DEFAULT_PORT = 22


def address_of(base_url: str) -> tuple[str, int]:
    """Host and port.  Raises: BlockedAddress, by the rules of any supplier's address."""
    parts = urlsplit(base_url)
    if parts.path not in ("", "/"):
        raise BlockedAddress("`base_url` ends with the host; the path of the file belongs into `path`.")
    origin = guard.check_url(f"https://{parts.netloc}")
    return origin.host, parts.port or DEFAULT_PORT


def host_key_of(text: str) -> bytes:
    """The key of a line of known_hosts or of a .pub file.  Raises: NotConfigured."""
    try:
        kind, encoded = text.split()[:2]
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise NotConfigured("sftp.host_key is not like `ssh-ed25519 AAAA…`.") from None
    if not key[4:].startswith(kind.encode()):
        raise NotConfigured("sftp.host_key names another kind of key than it holds.")
    return key
