"""The researcher's half: one call from a YAML file to a run folder."""
