"""Benchmark folders on disk: manifests, files with checksums, and the look-up of benchmarks."""
