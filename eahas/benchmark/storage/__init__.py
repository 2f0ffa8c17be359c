"""Benchmark folders on disk: manifests, checked files, and where benchmarks are found."""
