"""Feature maps to descriptor. One pooling a file; see docs/extending.md."""
