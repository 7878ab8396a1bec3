"""Settings from arguments and the environment."""
