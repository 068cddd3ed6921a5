"""The project as an app: it brings the system checks."""

from importlib import import_module

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "inventory_project"

    def ready(self) -> None:
        """Register the checks that refuse dangerous settings."""
        import_module("inventory_project.checks")
