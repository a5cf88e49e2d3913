"""A student in its folder: model card, weights as others load them, predictions of files."""
