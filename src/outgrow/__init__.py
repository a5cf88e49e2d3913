"""Weak-to-strong generalization that can be trusted."""
