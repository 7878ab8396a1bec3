"""Which processes count together, and what they share."""
