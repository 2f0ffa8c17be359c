"""Fits of ensembles: networks, trees, kernel machines and codecs."""
