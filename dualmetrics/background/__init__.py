"""What a worker does between requests."""
