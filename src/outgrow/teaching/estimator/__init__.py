"""Students as a scikit-learn classifier: from arrays, not from files."""
