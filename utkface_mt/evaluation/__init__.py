"""Scores with intervals, by group, calibration, explanations."""
