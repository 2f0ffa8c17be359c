"""Importers convert public data sets to records."""
