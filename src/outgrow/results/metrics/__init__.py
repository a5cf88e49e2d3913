"""Numbers from arrays: metrics of one model, agreement of two, overlap density, chance."""
