"""Feature map (B, C, h, w) to class logits (B, K). One head a file; see docs/recognition.md."""

from ._head import Head, LinearHead, Maps

__all__ = ["Head", "LinearHead", "Maps"]
