"""One module a contender: `start(path, threads)` does what is needed once and gives the search."""
