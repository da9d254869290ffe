"""Recipes (TOML), one result each."""
