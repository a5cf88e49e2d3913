"""Whole models trained."""
