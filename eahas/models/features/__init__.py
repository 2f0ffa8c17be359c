"""Features of a configuration: its encoding and quantities that are derived from it."""
