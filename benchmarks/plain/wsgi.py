"""The WSGI application of the baseline: the service's settings and middleware, the plain view's routes."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.ROOT_URLCONF = "benchmarks.plain.urls"
application = get_wsgi_application()
