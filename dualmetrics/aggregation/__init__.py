"""One total from all workers."""
