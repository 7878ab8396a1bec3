"""Foreign sources of metrics, which join ours. Only what is asked for is imported."""
