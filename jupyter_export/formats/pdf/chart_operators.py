"""Operators that draw a reportlab drawing with the fonts of the page."""

from __future__ import annotations

from typing import Any

from .furniture import Pen
from .objects import number

_KAPPA = 0.5522847498
"""Control points of a quarter of a circle as a Bézier curve."""


def operators(picture: Any, pen: Pen) -> bytes:
    """Return the operators that draw a reportlab drawing at the origin."""
    return b"".join(_shapes(picture, pen))


def _shapes(node: Any, pen: Pen) -> list[bytes]:
    from reportlab.graphics import shapes

    if isinstance(node, shapes.UserNode):
        return _shapes(node.provideNode(), pen)
    if isinstance(node, shapes.Group):  # a drawing is one, too
        inner = [part for each in node.getContents() for part in _shapes(each, pen)]
        if tuple(node.transform) == (1, 0, 0, 1, 0, 0):
            return inner
        matrix = b" ".join(number(v) for v in node.transform)
        return [b"q %s cm\n" % matrix, *inner, b"Q\n"]
    if isinstance(node, shapes.String):
        if not node.text.strip() or node.fillColor is None:
            return []
        align = {"middle": "center", "end": "right"}.get(node.textAnchor, "left")
        shown = pen.at(node.text, node.x, node.y, node.fontSize, align=align)
        return [b"BT\n%s%sET\n" % (_paint_of(node.fillColor, b"rg"), shown)]
    path = _path(node)
    fill = getattr(node, "fillColor", None)
    stroke = getattr(node, "strokeColor", None)
    width = getattr(node, "strokeWidth", 0)
    if path is None or (fill is None and not (stroke is not None and width)):
        return []
    out = [b"q\n"]
    end = b"n\n"
    if fill is not None:
        out.append(_paint_of(fill, b"rg"))
        end = b"f\n"
    if stroke is not None and width:
        out += [_paint_of(stroke, b"RG"), b"%s w 1 j\n" % number(width)]
        end = b"B\n" if fill is not None else b"S\n"
    return [*out, path, end, b"Q\n"]


def _path(node: Any) -> bytes | None:
    from reportlab.graphics import shapes

    if isinstance(node, shapes.Line):
        return _polyline([node.x1, node.y1, node.x2, node.y2])
    if isinstance(node, shapes.Rect):
        return b"%s %s %s %s re\n" % tuple(
            number(v) for v in (node.x, node.y, node.width, node.height)
        )
    if isinstance(node, shapes.PolyLine):
        return _polyline(node.points)
    if isinstance(node, shapes.Polygon):
        return _polyline(node.points) + b"h\n"
    if isinstance(node, shapes.Wedge):
        return _polyline(node.asPolygon().points) + b"h\n"
    if isinstance(node, shapes.Circle):
        return _circle(node.cx, node.cy, node.r)
    if isinstance(node, shapes.Path):
        at = 0
        out = b""
        for operator in node.operators:
            size, sign = ((2, b"m"), (2, b"l"), (6, b"c"), (0, b"h"))[operator]
            out += b" ".join([*(number(v) for v in node.points[at : at + size]), sign]) + b"\n"
            at += size
        return out
    return None


def _polyline(points: Any) -> bytes:
    pairs = list(zip(points[::2], points[1::2], strict=True))
    return b"".join(
        b"%s %s %s\n" % (number(x), number(y), b"l" if i else b"m")
        for i, (x, y) in enumerate(pairs)
    )


def _circle(x: float, y: float, r: float) -> bytes:
    k = r * _KAPPA
    turns = [
        (x + r, y + k, x + k, y + r, x, y + r),
        (x - k, y + r, x - r, y + k, x - r, y),
        (x - r, y - k, x - k, y - r, x, y - r),
        (x + k, y - r, x + r, y - k, x + r, y),
    ]
    out = b"%s %s m\n" % (number(x + r), number(y))
    for turn in turns:
        out += b" ".join(map(number, turn)) + b" c\n"
    return out + b"h\n"


def _paint_of(paint: Any, operator: bytes) -> bytes:
    return b" ".join([*(number(float(c)) for c in paint.rgb()), operator]) + b"\n"
