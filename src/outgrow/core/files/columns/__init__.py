"""Columns of tables -> texts, choices, labels and probabilities."""
