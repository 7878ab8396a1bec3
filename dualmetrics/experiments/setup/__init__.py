"""Directories of experiments: made, looked at, and removed."""
