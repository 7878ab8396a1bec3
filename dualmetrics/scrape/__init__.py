"""Answers a scraper."""
