"""Sweeps train many configurations in four stages, each from folder to folder.

The stages are sample, launch, collect and report.
"""
