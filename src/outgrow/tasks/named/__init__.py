"""The field's tasks by name: one table, and how its rows become texts or choices."""
