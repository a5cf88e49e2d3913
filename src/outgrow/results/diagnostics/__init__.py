"""What stands beside a run's numbers: controls, equivalents, sensitivity, margins, shares, what needs no supervisor."""
