"""Reading and writing files: tables, the text of a row, label columns, YAML, durable writes."""
