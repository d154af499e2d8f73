"""What runs in the environments of the engines is no test."""

collect_ignore_glob = ["*/use_*.py"]
