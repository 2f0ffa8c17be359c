"""Metrics of a fit on held-out runs."""
