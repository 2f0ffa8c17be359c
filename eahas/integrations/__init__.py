"""Interfaces of other libraries and systems, each in one file."""
