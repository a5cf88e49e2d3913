"""Numbers in, numbers out: what answers are computed by."""
