"""Where bytes go: a local file that appears whole or not at all, and compression on the way."""
