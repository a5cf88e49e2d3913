"""Where rows come from, how they are pooled and split."""
