"""Missing steps -> results in the store: what a step is, what may run next, where it runs, what is shown meanwhile."""
