"""What OpenAPI says of our structs."""

from storefronts.schema import portable, problems


def test_patterns_are_anchored_as_openapi_reads_them():
    schema = {
        "properties": {"sku": {"anyOf": [{"pattern": r"\A[A-Z]\Z"}, {"type": "null"}]}, "pattern": {"pattern": "x"}}
    }
    assert portable(schema) == {
        "properties": {"sku": {"anyOf": [{"pattern": "^[A-Z]$"}, {"type": "null"}]}, "pattern": {"pattern": "x"}}
    }


def test_every_route_has_the_common_problems():
    statuses = {status for status, _ in problems({400: "bad"})}
    assert statuses == {400, 401, 403, 429, 503}
    assert {media_type for _, media_type in problems()} == {"application/problem+json"}
