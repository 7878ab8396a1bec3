"""Frozen values that all other packages exchange."""
