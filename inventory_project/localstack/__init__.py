"""The local stack: PostgreSQL and two Redis-compatible servers, started from wheels and stopped by us."""

from inventory_project.localstack.processes import StackError
from inventory_project.localstack.stack import LocalStack, StackBusy

__all__ = ["LocalStack", "StackBusy", "StackError"]
