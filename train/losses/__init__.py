"""Losses on embeddings. One a file; see docs/extending.md."""
