"""Variances, intervals, p-values and ratios from arrays: accuracies, recovery, comparisons, equivalents."""
