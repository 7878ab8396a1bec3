"""Tests and intervals for two variants that were observed over the same blocks of time."""
