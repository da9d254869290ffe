"""Search over the vectors of a collection. One engine a file."""
