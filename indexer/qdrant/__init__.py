"""Collections on a Qdrant server or cluster. The only door to ``qdrant_client``."""
