"""One file per kind of step, with both halves: the step that is planned, and the function that makes it."""
