"""What every other folder imports: errors, content ids, names, examples and labels, the pool of rows, the registry."""
