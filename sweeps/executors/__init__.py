"""Executors define where the runs of a sweep are trained."""
