"""What is learned: tasks, each a function that returns rows, and the pool made of them."""
