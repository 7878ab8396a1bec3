"""Test suites that prove an integration right, and the helpers they are made of."""
