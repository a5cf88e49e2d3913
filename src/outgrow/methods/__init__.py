"""What a student does with weak labels: change them, a loss on them, a procedure of several trainings."""
