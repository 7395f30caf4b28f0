"""Where rows come from. Each module opens one kind of source as a stream of Arrow batches."""
