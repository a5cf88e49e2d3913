"""Results as people read them: the page, figures, tables, sentences."""
