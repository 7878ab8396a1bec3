"""Simulates thousands of experiments with known results: ``python -m tests.experiments.simulation``."""
