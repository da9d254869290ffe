"""How much one request may ask for, and how many requests there may be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of one server.

    Attributes:
        upload_bytes: Most bytes of a request with a picture.
        json_bytes: Most bytes of a request in JSON, and of one field of a form.
        json_depth: How deep lists and objects may be nested.
        upload_seconds: Until a request's body must have arrived.
        decode_seconds: Until a picture must be decoded, or a drawing drawn.
        decode_memory: Most bytes of address space of a process that decodes.
        running: Requests that are worked on at once.
        waiting: Requests that may wait for these.
        per_client: Requests of one address, running or waiting.
        hits: Most hits, items or ids of one request.
        window: Most of ``offset + k``.
        candidates: Most hits that a re-ranking may look at.
        picture_side: Longest side of a picture that is sent, in pixels.
        stop_seconds: How long running requests are waited for at the end.
    """

    upload_bytes: int = 30_000_000
    json_bytes: int = 4_000_000
    json_depth: int = 64
    upload_seconds: float = 30.0
    decode_seconds: float = 10.0
    decode_memory: int = 2_000_000_000
    running: int = 4
    waiting: int = 32
    per_client: int = 16
    hits: int = 1000
    window: int = 10_000
    candidates: int = 1000
    picture_side: int = 2048
    stop_seconds: int = 30
