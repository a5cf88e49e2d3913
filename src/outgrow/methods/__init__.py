"""Methods: what a student does with weak labels."""
