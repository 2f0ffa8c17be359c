"""Reports: plain data to text and to figures."""
