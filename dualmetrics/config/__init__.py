"""The settings, from arguments and environment variables."""
