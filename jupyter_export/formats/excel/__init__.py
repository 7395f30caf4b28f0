"""Excel workbooks (.xlsx)."""

from .format import ExcelFormat
from .options import ExcelOptions, SheetOptions

__all__ = ["ExcelFormat", "ExcelOptions", "SheetOptions"]
