"""What people ask of cheap labels and of a student: which labels are wrong, how many there are, what to label next."""
