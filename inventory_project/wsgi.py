"""The WSGI application; granian serves it (an ASGI stack costs Django a factor of ten here)."""

import os

from django.core.wsgi import get_wsgi_application

from inventory.ending import ending

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "inventory_project.settings")

application = get_wsgi_application()
ending.watch()
