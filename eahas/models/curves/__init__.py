"""Learning curves from a few numbers: Bezier curves and codecs."""
