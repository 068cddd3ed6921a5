"""The project as an app: it brings the system checks, the roles, and the first page of the admin."""

import gc
from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.core.signals import request_started
from django.db import reset_queries
from django.db.models.signals import post_migrate


class ProjectConfig(AppConfig):
    name = "inventory_project"

    def ready(self) -> None:
        """Register the checks and the groups of people; spare every request what only a few need."""
        import_module("inventory_project.checks")
        if not settings.DEBUG:
            # It empties, at each request, a list of queries that only DEBUG fills: a twentieth of a cached read.
            request_started.disconnect(reset_queries)
        # What is loaded by now stays: the collector need not go through all of it again with each full collection.
        gc.collect()
        gc.freeze()
        # Django's own receiver, which makes the permissions, was connected before this one.
        post_migrate.connect(import_module("inventory_project.roles").grant_roles, dispatch_uid="roles")
