"""Predictive distributions: error quantiles, seed noise and seed variance."""
