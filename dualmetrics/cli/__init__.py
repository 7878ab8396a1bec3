"""The command `dualmetrics`; one module a command."""
