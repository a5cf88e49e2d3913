"""From cheap labels to a student that one can keep, and an honest account of how good it is."""
