"""How the admin writes times: ISO 8601 with seconds, so that they sort, and match the logs."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i:s"
TIME_FORMAT = "H:i:s"
SHORT_DATETIME_FORMAT = DATETIME_FORMAT
