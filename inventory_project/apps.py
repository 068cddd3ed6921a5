"""The project as an app: it brings the system checks, the roles, and the first page of the admin."""

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ProjectConfig(AppConfig):
    name = "inventory_project"

    def ready(self) -> None:
        """Register the checks that refuse dangerous settings, and the groups of people."""
        import_module("inventory_project.checks")
        # Django's own receiver, which makes the permissions, was connected before this one.
        post_migrate.connect(import_module("inventory_project.roles").grant_roles, dispatch_uid="roles")
