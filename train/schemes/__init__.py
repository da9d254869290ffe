"""How a step learns from a batch, for recognition. One scheme a file; its name is its recipe's."""

from ._scheme import Describe, Scheme, Seen

__all__ = ["Describe", "Scheme", "Seen"]
