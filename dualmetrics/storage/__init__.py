"""The numbers, in memory and in one file."""
