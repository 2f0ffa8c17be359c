"""Cross-fitting, calibration and the variation between seeds."""
