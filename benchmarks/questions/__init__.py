"""One module a question; each has its ``QUESTION``."""
