"""Models: what turns texts into features, and the heads on them."""
