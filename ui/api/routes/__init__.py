"""What can be asked for under ``/v1``; one subject a file."""
