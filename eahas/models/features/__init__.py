"""Features of a configuration: its encoding and what is derived from it."""
