"""From records to checkpoints: data sets, Bezier fits, model families, metrics."""
