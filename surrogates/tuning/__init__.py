"""Tuning of a fit's settings."""
