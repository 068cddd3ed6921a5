"""Regular expressions that a person typed, of a kind that cannot hang a worker.

Note [Bounded search]
Python's engine tries every way to match, and a pattern such as (a+)+$ has exponentially many.  So patterns are plain
sequences: no repeated group, no alternatives, no references, and few repetitions; the text is cut.  With two open
repetitions over 300 characters the worst search is some 300³ / 6 steps, a few hundredths of a second.
"""

import re

from suppliers.errors import NotConfigured

TEXT_CHARACTERS = 300
OPEN_REPETITIONS, REPETITIONS = 2, 6

ATOM = r"(?:\\[dDsSwWbB]|\\[^A-Za-z0-9]|\[\^?(?:\\[dDsSwW]|\\[^A-Za-z0-9]|[^\]\\\[])+\]|[^\\\[\](){}*+?|^$])"
REPEAT = r"(?:\?|[*+]|\{\d{1,3}(?:,\d{0,3})?\})"
SEQUENCE = rf"(?:{ATOM}{REPEAT}?)*"
PLAIN = re.compile(rf"\^?{SEQUENCE}(?:\({SEQUENCE}\){SEQUENCE})?\$?")
REPEATS = re.compile(rf"{ATOM}({REPEAT})")


def compile_search(pattern: str) -> re.Pattern[str]:
    """Raises: NotConfigured if a search for it might take long, or it is no regular expression."""
    if not PLAIN.fullmatch(pattern):
        raise NotConfigured(
            f"{pattern[:80]!r} is not a plain pattern: characters, classes such as \\d or [a-z], *, + or ? after one of"
            " them, and one group in parentheses for what is wanted."
        )
    repeats = [found[1] for found in REPEATS.finditer(pattern)]
    wide = [repeat for repeat in repeats if repeat != "?"]
    if len(wide) > OPEN_REPETITIONS or len(repeats) > REPETITIONS:
        raise NotConfigured(f"{pattern[:80]!r} repeats too often: at most {OPEN_REPETITIONS} of *, + and {{}}.")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise NotConfigured(f"{pattern[:80]!r} is not a regular expression: {error}.") from None


def search(pattern: re.Pattern[str], text: str) -> str | None:
    """What its group found, without a group all of it."""
    found = pattern.search(text[:TEXT_CHARACTERS])
    if found is None:
        return None
    return found[1] if pattern.groups else found[0]
