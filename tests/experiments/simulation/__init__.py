"""Experiments whose truth is known, thousands of them: ``python -m tests.experiments.simulation``."""
