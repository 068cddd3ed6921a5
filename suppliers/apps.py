import stamina.instrumentation
import structlog
from django.apps import AppConfig

log = structlog.get_logger(__name__)


class SuppliersConfig(AppConfig):
    name = "suppliers"

    def ready(self) -> None:
        hooks = stamina.instrumentation
        hooks.set_on_retry_hooks([hooks.PrometheusOnRetryHook, note_retry])


def note_retry(details: stamina.instrumentation.RetryDetails) -> None:
    """No warning: that a supplier fails now and then is everyday, and who gives up says so."""
    log.info("asked_again", times=details.retry_num, in_seconds=details.wait_for, reason=str(details.caused_by))
