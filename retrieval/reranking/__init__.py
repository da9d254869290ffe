"""Another order for the first hits of a query. One method a file; see docs/reranking.md."""

from ._reranking import Gallery, Query, Reranking

__all__ = ["Gallery", "Query", "Reranking"]
