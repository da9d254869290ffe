"""The subcommands of ``fgir``, one a file."""
