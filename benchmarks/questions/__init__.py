"""The questions, one per module; each module defines a ``QUESTION``."""
