"""Numbers from arrays: accuracies, intervals, recovery, agreement, comparisons."""
