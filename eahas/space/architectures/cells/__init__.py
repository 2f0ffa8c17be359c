"""The cells of NAS benchmarks as arithmetic: NAS-Bench-101 and NAS-Bench-201."""
