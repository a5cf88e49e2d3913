"""Weak labels that come from somewhere else than a model."""
