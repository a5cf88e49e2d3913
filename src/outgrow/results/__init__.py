"""A run folder -> accuracies, PGR, agreement, comparisons, controls. Trains nothing."""
