"""What a run trains: one task a file; the file's name is its name in a recipe (``task``)."""
