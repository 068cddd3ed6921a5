"""JMESPath, compiled once; a plain dotted path becomes a getter, which is ten times faster on a long snapshot."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

from suppliers.errors import Malformed, NotConfigured

Getter = Callable[[Any], Any]
ColumnGetter = Callable[[Sequence[Any]], list[Any]]

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
VARIABLE = re.compile(r"\$(?:\{(?P<braced>[a-z_]+(?:\.\w+)?)\}|(?P<bare>[a-z_]+(?:\.\w+)?))")
MOST_MADE = 12  # their product is 81 at most
LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`""")


class Missing:
    """A key that is not there, which is not the same as null."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


def compile_path(text: str) -> Getter:
    """A function from a document to the value at `text`; MISSING where a plain path finds no key.

    Raises: NotConfigured if it is not JMESPath.  The function raises Malformed where the expression does not fit.
    """
    if PLAIN.fullmatch(text):
        keys = text.split(".")
        return _one_key(keys[0]) if len(keys) == 1 else _many_keys(keys)
    try:
        parsed = jmespath.compile(text)
        made = _made(parsed.parsed)
    except (JMESPathError, RecursionError, ValueError):
        raise NotConfigured(f"{text[:120]!r} is not a JMESPath expression.") from None
    if made > MOST_MADE:
        raise NotConfigured(f"{text[:120]!r} makes lists of more than {MOST_MADE} values by itself.")
    search = parsed.search

    def evaluate(document: Any) -> Any:
        try:
            return search(document)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError):
            raise Malformed(f"{text[:120]!r} does not fit the answer.") from None

    return evaluate


def compile_column(text: str) -> ColumnGetter:
    """What `compile_path` finds in each of many documents, in the fifth of the time where `text` is a plain key."""
    get = compile_path(text)
    key = itemgetter(text)

    def column(documents: Sequence[Any]) -> list[Any]:
        return [get(document) for document in documents]

    def plain_column(documents: Sequence[Any]) -> list[Any]:
        try:
            return list(map(key, documents))
        except (KeyError, TypeError):  # no such key, or no object
            return column(documents)

    return plain_column if PLAIN.fullmatch(text) and "." not in text else column


def _made(node: Any) -> int:
    """The values that an expression lists itself, as in [a, b].

    Nothing else makes an answer grow: [@, @] | [@, @] | … doubles it each time, and a few dozens fill the memory.
    """
    children = node.get("children", ()) if isinstance(node, dict) else ()
    own = len(children) if node.get("type") in {"multi_select_list", "multi_select_dict"} else 0
    return own + sum(_made(child) for child in children if isinstance(child, dict))


def _one_key(key: str) -> Getter:
    def get(document: Any) -> Any:
        return document.get(key, MISSING) if type(document) is dict else MISSING

    return get


def _many_keys(keys: list[str]) -> Getter:
    def get(document: Any) -> Any:
        for key in keys:
            if type(document) is not dict:
                # Below a null there is null, as JMESPath has it; below anything else the shape is another one.
                return None if document is None else MISSING
            document = document.get(key, MISSING)
            if document is MISSING:
                return MISSING
        return document

    return get


def bind(text: str, variables: Mapping[str, Any]) -> Getter:
    """An expression with `$ref` and the like, compiled with their values as literals that cannot break out."""

    def literal(match: re.Match[str]) -> str:
        name = match["braced"] or match["bare"]
        if name not in variables:
            raise NotConfigured(f"${name} is not known in {text[:120]!r}.")
        # A backtick would end the literal; its JSON escape is a backtick again once it is read.
        return "`" + json.dumps(variables[name]).replace("`", "\\u0060") + "`"

    return compile_path(VARIABLE.sub(literal, text))


def quotes_a_variable(text: str) -> bool:
    """Whether a variable stands inside a quoted literal, where its own literal would not be one."""
    return any(VARIABLE.search(literal) for literal in LITERAL.findall(text))


def holds(value: Any) -> bool:
    """Whether a condition is met: anything but null, false, an absent key and empty text or lists.  0 is a value."""
    return value is not None and value is not False and value is not MISSING and value not in ("", [], {})
