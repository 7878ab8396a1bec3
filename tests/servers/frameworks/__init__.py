"""A small app for each framework, with the lines that docs/frameworks.md names."""
