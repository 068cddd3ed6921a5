"""What those who run it read agrees with what the settings read."""

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def variables_of_settings() -> dict[str, str | None]:
    """Environment variable → its default as documented; None where the default is computed."""
    tree = ast.parse((PROJECT / "inventory_project/settings.py").read_text())
    found: dict[str, str | None] = {}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args):
        name = call.args[0]
        reader = ast.unparse(call.func)
        if isinstance(name, ast.Constant) and (reader == "required" or reader.startswith("env.")):
            found.setdefault(str(name.value), "required" if reader == "required" else default_of(call))
    return found


def default_of(call: ast.Call) -> str | None:
    """The default that a call of django-environ gives, as one would write it into the environment."""
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "default"), None)
    try:
        value = ast.literal_eval(given) if given else None
    except ValueError:
        return None
    text = ",".join(value) if isinstance(value, list) else str(value)
    return (text.lower() if isinstance(value, bool) else text) or "empty"


def test_every_variable_is_documented_with_its_default():
    rows = re.findall(r"^\| `([A-Z_]+)` \| `?([^`|]+?)`? \|", (PROJECT / "docs/deploy.md").read_text(), re.MULTILINE)
    documented = dict(rows)
    settings = variables_of_settings()
    assert settings["SECRET_KEY"] == "required"
    assert documented.keys() == settings.keys()
    computed = {name for name, default in settings.items() if default is None}
    assert {name: documented[name] for name in settings.keys() - computed} == {
        name: default for name, default in settings.items() if default is not None
    }


def test_every_variable_is_in_the_example():
    lines = (PROJECT / "docker/.env.example").read_text().splitlines()
    named = {found[1] for line in lines if (found := re.match(r"(?:# )?([A-Z_]+)=", line))}
    of_compose = {"POSTGRES_PASSWORD", "LISTEN", "WEB_PROCESSES", "WORKER_PROCESSES"}
    assert named == variables_of_settings().keys() | of_compose
    compose = (PROJECT / "docker/compose.yml").read_text()
    assert set(re.findall(r"\$\{([A-Z_]+)", compose)) == of_compose
