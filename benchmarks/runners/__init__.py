"""One module per contender: `start(path, threads)` prepares the search and returns it as a function."""
