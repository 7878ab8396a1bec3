"""What a finished request means as metrics."""
