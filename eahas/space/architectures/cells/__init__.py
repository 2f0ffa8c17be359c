"""The cells of NAS-Bench-101 and NAS-Bench-201: encodings, hashes and complexity."""
