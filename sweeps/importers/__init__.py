"""Importers: public data sets as records."""
