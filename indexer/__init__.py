"""Collections of vectors that can be built, grown, pruned, kept, opened and searched."""
