"""What schemathesis cannot know from the OpenAPI document."""

import uuid

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes each idempotency key a new one: a key that was used for another request is refused with 422."""
    if case.headers and "Idempotency-Key" in case.headers and case.meta.generation.mode.is_positive:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
