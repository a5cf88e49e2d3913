"""The engineer's half: cheap labels -> a student to keep -> predictions."""
