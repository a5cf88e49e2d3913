"""Experiment -> steps, in the paper's order: supervisor, weak labels, student, ceiling."""
