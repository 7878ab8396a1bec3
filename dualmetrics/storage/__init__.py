"""Numbers in memory and in one file."""
