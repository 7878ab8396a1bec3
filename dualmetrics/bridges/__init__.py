"""Imports metrics from other libraries. Each module imports a library only if it is used."""
