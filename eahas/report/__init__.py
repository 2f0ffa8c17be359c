"""Reports: text and figures from plain data."""
