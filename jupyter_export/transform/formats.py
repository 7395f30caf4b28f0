"""The formats of strftime."""

from __future__ import annotations

FORMATS = {
    "Y": "YYYY", "m": "MM", "d": "DD", "H": "HH24", "M": "MI", "S": "SS", "y": "YY", "j": "DDD",
    "B": "FMMonth", "b": "Mon", "A": "FMDay", "a": "Dy", "I": "HH12", "p": "AM", "f": "US",
    "V": "IW", "G": "IYYY", "u": "ID", "-m": "FMMM", "-d": "FMDD", "-H": "FMHH24",
    "-I": "FMHH12", "-M": "FMMI", "-S": "FMSS", "-j": "FMDDD", "%": None,
}  # fmt: skip
"""What strftime knows -> what PostgreSQL's to_char calls it."""
