"""Jobs: one spec, run once, watched by many. ``service`` is the only door."""
