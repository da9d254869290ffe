"""Feature map (B, C, h, w) to descriptor (B, C'). One pooling a file; see docs/extending.md."""

from ._pooling import Pooling

__all__ = ["Pooling"]
