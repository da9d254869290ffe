"""A generated catalogue of shoes: photos in several views and drawings with ordered strokes.

It is the demo's and the tests' data: nothing to download, deterministic, and fine-grained, since
models of one series differ in shape and details only.
"""

from .generate import generate

__all__ = ["generate"]
