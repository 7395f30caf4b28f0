"""How files become rows: one module for each kind, one for folders, one for other file systems."""
