"""Whatever gives class probabilities: the contract, and its check."""
