"""Where steps are made: the contract of an executor, and its members."""
