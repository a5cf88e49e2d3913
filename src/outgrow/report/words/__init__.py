"""What came out, in sentences that are written from the numbers."""
