"""Cells and comparisons as tables: for the terminal, Markdown, LaTeX and CSV."""
