"""Just enough of GraphQL: which field is asked for, and with which arguments.  Answers hold every field."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from suppliers.simulator.asks import bad, parse_object
from suppliers.simulator.messages import Request

_ARGUMENT = r"\b{name}\s*:\s*(?:\$(\w+)|(\d+)|\"((?:[^\"\\]|\\.)*)\")"


class Operation:
    """One operation of a request body {"query", "variables"}."""

    def __init__(self, request: Request, fields: Sequence[str]) -> None:
        """Raises Problem."""
        document = parse_object(request.body)
        query, variables = document.get("query"), document.get("variables")
        if not isinstance(query, str):
            raise bad("query is a text")
        self.text = query
        self.variables: Mapping[str, Any] = variables if isinstance(variables, dict) else {}
        body = query[query.find("{") :]
        found = re.findall(rf"\b({'|'.join(fields)})\b\s*[({{@]?", body)
        if not found:
            raise bad(f"none of the fields {', '.join(fields)} is asked for")
        self.field = found[0]

    def argument(self, name: str, default: Any = None) -> Any:
        """Of the field, be it a variable or written out; or the variable of this name."""
        found = re.search(_ARGUMENT.format(name=name), self.text[self.text.find("{") :])
        if found and found[1]:
            return self.variables.get(found[1], default)
        if found:
            return int(found[2]) if found[2] else found[3]
        return self.variables.get(name, default)

    def number(self, name: str, default: int) -> int:
        value = self.argument(name, default)
        if type(value) is not int or value < 1:
            raise bad(f"{name} is a whole number from 1")
        return value
