"""Run a chaos supplier: a supplier's API with a hidden true ledger, that lies and fails as told."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from suppliers.simulator.command_line import add_arguments, serve


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = []  # it needs neither database nor cache

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        serve(options)
