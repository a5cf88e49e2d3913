"""Results as one page, and as figures."""
