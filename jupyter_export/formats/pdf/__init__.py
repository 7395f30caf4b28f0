"""PDF (ISO 32000-1): a report for people, page by page.

``layout`` decides the columns, ``typesetting`` and ``rows`` turn whole batches into text
operators, ``pages`` cuts them into pages, ``furniture``, ``groups`` and ``charts`` add what stands
around them, ``document`` ties pages, outline and structure together, ``objects`` and ``fonts``
write what the file is made of.
"""

from .format import PdfFormat

__all__ = ["PdfFormat"]
