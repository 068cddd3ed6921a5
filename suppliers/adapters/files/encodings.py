"""Which encoding a file has: what can be told for certain, and one guess that exports from China need."""

import codecs
import io
from collections.abc import Callable

from charset_normalizer import from_bytes

from suppliers.errors import Malformed

Open = Callable[[], io.BufferedReader]

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
SAMPLE_BYTES = 65_536
CHUNK_BYTES = 1_048_576
CHINESE = {"gb18030", "gbk", "gb2312", "hz"}


def encoding_of(open_file: Open, configured: str | None) -> str:
    """A name for `open`.  Raises: Malformed if it is not certain; then it belongs into the configuration."""
    with open_file() as file:
        sample = file.read(SAMPLE_BYTES)
    marked = next((name for mark, name in MARKS if sample.startswith(mark)), None)
    if marked or configured:
        return marked or str(configured)
    if b"\x00" in sample:
        # Of separators, digits and line ends in UTF-16 one byte of two is zero.
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    if _decodes(open_file, "utf-8"):
        return "utf-8"
    guess = from_bytes(sample).best()
    looks_like = guess.encoding if guess else "nothing known"
    if looks_like in CHINESE and _decodes(open_file, "gb18030"):
        return "gb18030"
    raise Malformed(f"The file is not UTF-8; it looks like {looks_like}. Set `encoding`.")


def _decodes(open_file: Open, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    with open_file() as file:
        try:
            while chunk := file.read(CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
