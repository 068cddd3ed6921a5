"""The languages in which the same supplier can be spoken to: one module each, listed here."""

from .aop import AopDialect
from .base import Dialect
from .file import FileDialect
from .graphql import GraphqlDialect
from .rest import REST
from .shopify import ShopifyDialect
from .top import TopDialect
from .woo import WooDialect

DIALECTS: dict[str, Dialect] = {
    **REST,
    "graphql": GraphqlDialect(),
    "top": TopDialect(),
    "aop1688": AopDialect(),
    "shopify_lite": ShopifyDialect(),
    "woo_lite": WooDialect(),
    "file": FileDialect(),
}

__all__ = ["DIALECTS", "Dialect"]
