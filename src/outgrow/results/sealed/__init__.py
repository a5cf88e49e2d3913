"""A sealed evaluation: truth that no trainer sees, submissions that are counted, numbers corrected for their count."""
