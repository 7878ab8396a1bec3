"""Tests and intervals for two variants that were watched over the same blocks of time."""
