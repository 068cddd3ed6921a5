"""Every setting comes from the environment; what has no safe default fails loudly when it is missing."""

from pathlib import Path

import environ
import structlog
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

from inventory_project.logs import redact
from inventory_project.navigation import UNFOLD  # noqa: F401 - the admin's own settings

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent


def required(name: str) -> str:
    """The value of an environment variable that has no safe default."""
    value: str = env.str(name, default="")
    if not value:
        msg = f"{name} is not set. `make demo` sets it for the local stack; docs/deploy.md lists every variable."
        raise ImproperlyConfigured(msg)
    return value


# --- Core -----------------------------------------------------------------------------------------
SECRET_KEY = required("SECRET_KEY")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ROOT_URLCONF = "inventory_project.urls"
WSGI_APPLICATION = "inventory_project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
LOGIN_REDIRECT_URL = "admin:index"
FORMAT_MODULE_PATH = ["inventory_project.formats"]

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework_api_key",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_structlog",
    "django_prometheus",
    "pgtrigger",
    "simple_history",
    "inventory_project",
    "suppliers",
    "storefronts",
    "inventory",
    "orders",
]

MIDDLEWARE = [
    "inventory_project.logs.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "inventory_project.middleware.Session",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "inventory_project.middleware.Authentication",
    "inventory_project.middleware.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "inventory_project.middleware.history",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "var" / "static"))

# --- PostgreSQL -----------------------------------------------------------------------------------
required("DATABASE_URL")
DATABASES = {"default": env.db("DATABASE_URL")}
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        "pool": {
            "min_size": env.int("DATABASE_POOL_MIN", default=2),
            "max_size": env.int("DATABASE_POOL_MAX", default=16),
            # Below the 8 s that no request may exceed, so that an exhausted pool is a 503 in time.
            "timeout": 3,
        },
        # Statements of the hot paths are planned once per connection.  0 turns that off, for PgBouncer.
        "prepare_threshold": env.int("DATABASE_PREPARE_AFTER", default=1) or None,
        # A holder frozen in its transaction must lose its row locks before its Redis lock expires (5 s).
        "options": "-c idle_in_transaction_session_timeout=4000 -c lock_timeout=3000 -c statement_timeout=60000",
    }
)

# --- Redis: two instances, because `cache.clear()` is FLUSHDB and an evicting cache loses messages -----
REDIS_URL = required("REDIS_URL")  # broker and locks: AOF, noeviction
CACHE_URL = required("CACHE_URL")  # cache: evicting, no persistence
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 0.25, "SOCKET_TIMEOUT": 0.5},
    },
}

# --- Celery ---------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_PUBLISH_RETRY = False
# Workers take from the queues in turn: a crowd of orders must not keep snapshots and the beat's slots waiting.
CELERY_TASK_QUEUES = [Queue("celery"), Queue("effects")]
CELERY_TASK_ROUTES = {"inventory.tasks.drain": {"queue": "effects"}}
# A broker that accepts TCP and never answers must not hold a publisher for longer than this.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 0.5, "socket_timeout": 5, "visibility_timeout": 900}
# A worker whose connection went dead in silence connects anew within twice this; the default is 25.
CELERY_BROKER_TRANSPORT_OPTIONS["health_check_interval"] = 4
PULSE_FILE = env.str("PULSE_FILE", default="")  # touched by workers and beat while they work
METRICS_PORT = env.int("METRICS_PORT", default=0)  # where workers and beat serve their figures; 0: nowhere
METRICS_HOST = env.str("METRICS_HOST", default="127.0.0.1")

# --- API ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["storefronts.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["storefronts.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["storefronts.throttling.StorefrontThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "storefronts.problems.problem_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Holdfast",
    "DESCRIPTION": "How many can I sell, and an order that never sells what is not there.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
# The largest body any route reads (100 lines fit in a tenth of it).
DATA_UPLOAD_MAX_MEMORY_SIZE = 256_000
API_THROTTLE = env.str("API_THROTTLE", default="100000/minute")  # per storefront

# Each keeps one of the server's threads (64) busy; the others must go on.
STREAMS_PER_PROCESS = env.int("STREAMS_PER_PROCESS", default=16)
STREAMS_PER_STOREFRONT = env.int("STREAMS_PER_STOREFRONT", default=8)  # of these, in one process

# --- Mail: alerts alone ----------------------------------------------------------------------------
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="holdfast@localhost")
EMAIL_TIMEOUT = 10

# --- Security -------------------------------------------------------------------------------------
CREDENTIAL_KEYS: list[str] = env.list("CREDENTIAL_KEYS", default=[])  # Fernet keys, newest first
SUPPLIER_FILES_ROOT = env.str("SUPPLIER_FILES_ROOT", default="")  # below it suppliers' files may be read; "": none
SUPPLIER_PRIVATE_NETWORKS = env.bool("SUPPLIER_PRIVATE_NETWORKS", default=False)
SECURE_CONTENT_TYPE_NOSNIFF = True
HTTPS = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # asked from inside, past the proxy that speaks TLS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# They bind every other host of the domain: its owner's decision, to be made in front of us.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None

# --- Domain: seconds and units, each with its reason ----------------------------------------------
SKU_LOCK_EXPIRE_SECONDS = 5  # a dead holder blocks its SKU for this long
SKU_LOCK_ACQUIRE_SECONDS = 2  # whole seconds: python-redis-lock takes 0.5 for "for ever"
COMBINER_QUEUE = 512  # requests for one SKU that may wait in one process; more are told to come back
COMBINER_BATCH = env.int("COMBINER_BATCH", default=128)  # orders in one transaction: holds the SKU for some 30 ms
COMBINER_PATIENCE_SECONDS = 3  # waiting to be drained, and again to be answered: less than 8 s together
ORDERS_REQUIRE_LOCK = env.bool("ORDERS_REQUIRE_LOCK", default=False)
STOCK_CACHE_SECONDS = 30  # the longest a value may outlive a writer that lost Redis
STOCK_TOMBSTONE_SECONDS = 5  # longer than any placement transaction may idle
STREAM_SECONDS = 300  # then the listener comes back, perhaps to a process with less to do
SYNC_COALESCE_SECONDS = 5  # at most one incremental read per level in this window
PUSHES_AT_ONCE = 2  # suppliers' pushes that one process stores at a time: orders need its connections more
ALERT_ESCALATE_SECONDS = env.int("ALERT_ESCALATE_SECONDS", default=1800)  # open for so long and nobody is at it
WORKERS_PER_SUPPLIER = env.int("WORKERS_PER_SUPPLIER", default=3)  # at once; see inventory.bulkhead
EFFECT_LEASE_SECONDS = 60  # longer than any effect works
RESERVATION_MAX_SECONDS = 3_600
BELL_QUEUE_SIZE = 1_000  # lanes waiting to be published; more are left to the sweep

# --- Logs -----------------------------------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
DJANGO_STRUCTLOG_CELERY_ENABLED = True  # a task's lines carry the id of the request that caused it
SHARED_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    redact,
]
structlog.configure(
    # First of all: a line that nobody will see costs nothing.
    processors=[
        structlog.stdlib.filter_by_level,
        *SHARED_PROCESSORS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer(),
            "foreign_pre_chain": SHARED_PROCESSORS,
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # python-redis-lock logs every contended acquire as a warning.
        "redis_lock": {"level": "ERROR"},
        # Its warnings and debug lines hold whole URLs of suppliers, and with them keys in the query.
        "urllib3": {"level": "ERROR"},
        # Its lines are the traces of what we say in one.
        "paramiko": {"level": "CRITICAL"},
        # Its tasks' lines repeat Celery's own; what we take from it is the request id inside a task.
        "django_structlog": {"level": "WARNING"},
        # Refusals are answers; the request's own line has their status.
        "django.request": {"level": "ERROR"},
    },
}
