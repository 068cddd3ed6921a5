import pytest

from suppliers.adapters.expressions import MISSING, bind, compile_path, holds
from suppliers.adapters.templates import render, render_path
from suppliers.errors import Malformed, NotConfigured

VALUES = {"ref": "H-1", "page": 3, "lines": [{"a": 1}], "secret.key": "k", "nothing": None}


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("$page", 3),
        ("p$page", "p3"),
        ("${ref}s", "H-1s"),
        ("$$page", "$page"),
        ("5$", "5$"),
        ("$secret.key", "k"),
        ("$nothing", None),
        ({"a": ["$lines", {"b": "$page"}], "n": 1, "t": True}, {"a": [[{"a": 1}], {"b": 3}], "n": 1, "t": True}),
    ],
)
def test_templates(template, rendered):
    assert render(template, VALUES) == rendered


@pytest.mark.parametrize("template", ["$unknown", "x$unknown", "x$lines", "x$nothing", "${unknown}"])
def test_templates_that_cannot_be_filled(template: str):
    with pytest.raises(NotConfigured):
        render(template, VALUES)


def test_a_value_is_not_a_template():
    assert render("$ref", {"ref": "$secret.key", "secret.key": "k"}) == "$secret.key"


@pytest.mark.parametrize("value", [".", ".."])
def test_a_path_value_cannot_climb(value: str):
    with pytest.raises(NotConfigured):
        render_path("/orders/$ref", {"ref": value})


@pytest.mark.parametrize(
    ("path", "document", "value"),
    [
        ("a", {"a": 1}, 1),
        ("a", {}, MISSING),
        ("a", [], MISSING),
        ("a.b", {"a": {"b": 2}}, 2),
        ("a.b", {"a": None}, None),
        ("a.b", {"a": []}, MISSING),
        ("a.b", {"a": {}}, MISSING),
        ("a[0].b", {"a": [{"b": 3}]}, 3),
        ("a || `0`", {}, 0),
    ],
)
def test_paths(path: str, document, value):
    assert compile_path(path)(document) == value


def test_an_expression_that_cannot_be_applied_is_malformed():
    with pytest.raises(Malformed):
        compile_path("sum(a)")({"a": "text"})


@pytest.mark.parametrize(
    ("value", "met"),
    [
        (None, False),
        (False, False),
        (MISSING, False),
        ("", False),
        ([], False),
        ({}, False),
        (0, True),
        ("0", True),
        (True, True),
    ],
)
def test_conditions(value, met: bool):
    assert holds(value) is met


def test_an_unknown_variable_in_an_expression_is_told():
    with pytest.raises(NotConfigured):
        bind("[?a == $other]", {"ref": "x"})
