"""Everything a person touches: the command line, pictures of results. Nothing imports this."""
