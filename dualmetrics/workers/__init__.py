"""Which processes form a worker group, and what they share."""
