"""The keys of a local installation: made once, kept beside its data."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet


def local_keys(folder: Path) -> dict[str, str]:
    """Environment variable → key; those that the environment sets are not replaced."""
    makers: dict[str, Callable[[], str]] = {
        "SECRET_KEY": lambda: secrets.token_urlsafe(64),
        "CREDENTIAL_KEYS": lambda: Fernet.generate_key().decode(),
    }
    return {
        name: os.environ.get(name) or keep(folder / name.lower().replace("_", "-"), make)
        for name, make in makers.items()
    }


def keep(path: Path, make: Callable[[], str]) -> str:
    """The content of a file that only we can read; written the first time."""
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
        unfinished.rename(path)
    return path.read_text().strip()
