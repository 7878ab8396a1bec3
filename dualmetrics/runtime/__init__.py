"""The interpreter and the operating system. Nothing here knows about metrics."""
