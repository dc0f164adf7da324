"""What schemathesis cannot know from the OpenAPI document."""

import urllib.parse
import uuid

import schemathesis

# How long a URL may be, in bytes after the host (crates/http/src/layers/head.rs). A schema limits each parameter, not all
# of them together; what is longer is tried in crates/server/tests/it/heads.rs.
MAX_TARGET_BYTES = 32 * 1024
# How much of it a path may take.
PATH_BYTES = 1024


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what no URL can hold."""
    return len(urllib.parse.urlencode(case.query or {}, doseq=True)) <= MAX_TARGET_BYTES - PATH_BYTES


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes each idempotency key a new one: a key that was used for another request is refused with 422."""
    if case.headers and "Idempotency-Key" in case.headers and case.meta.generation.mode.is_positive:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
