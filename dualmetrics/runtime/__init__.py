"""The interpreter and the operating system, without any knowledge of metrics."""
