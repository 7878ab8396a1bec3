"""A comparison as text, JSON, Markdown and HTML."""
