"""Logits and targets to a scalar, for recognition. One loss a file; its name is its recipe's."""
