"""Where the samples of both variants come from."""
