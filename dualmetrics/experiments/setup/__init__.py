"""The directories of experiments: created, inspected, and removed."""
