"""Linear heads on frozen features."""
