"""The service with its settings and middleware, and the empty view beside its own."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.ROOT_URLCONF = "benchmarks.empty.urls"
application = get_wsgi_application()
