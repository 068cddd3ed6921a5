"""Settings, Celery, URLs and the local stack of Holdfast."""

from inventory_project.celery import app as celery_app

__all__ = ["celery_app"]
