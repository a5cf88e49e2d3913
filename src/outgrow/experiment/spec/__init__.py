"""What a YAML file may say, and what its names resolve to."""
