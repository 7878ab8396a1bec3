"""Records apps that do not know dualmetrics: for ``dualmetrics run`` and ``opentelemetry-instrument``.

It is imported at the start of every Python process of a command. So it imports little, and nothing of
dualmetrics before a process imports a web framework.
"""
