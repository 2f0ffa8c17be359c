"""Interfaces of other libraries and systems, one file each."""
