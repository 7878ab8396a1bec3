"""The two exports: a snapshot on a page, and a snapshot to a Collector."""
