"""Text that people read: names of entries, quantities, and what a terminal may print."""
