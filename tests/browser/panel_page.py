"""The panel's view in a bare page, with a model that answers as Python does. No kernel."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from playwright.sync_api import Page

from jupyter_export import registry
from jupyter_export.panel import assets

MODEL = """
// What the view is given is nobody's to change: a module's code throws where it tries.
const frozen = (value) => {
  if (value && typeof value === 'object') Object.values(Object.freeze(value)).forEach(frozen);
  return value;
};
const traits = JSON.parse(document.getElementById('traits').textContent);
Object.values(traits).forEach(frozen);
const heard = {};
const call = (type, ...given) => [...(heard[type] || [])].forEach((each) => each(...given));
window.model = {
  sent: [], saved: 0, queries: [], traits,
  get: (name) => traits[name],
  set(name, value) { traits[name] = frozen(structuredClone(value)); call('change:' + name); },
  save_changes() { this.saved += 1; },
  on: (type, each) => (heard[type] ||= []).push(each),
  off: (type, each) => { heard[type] = (heard[type] || []).filter((one) => one !== each); },
  send(message) {
    this.sent.push(message);
    if (message.do === 'distinct') {
      const values = (window.values[message.column] || [])
        .filter((value) => String(value).toLowerCase().includes(message.q.toLowerCase()))
        .map((value) => ({ value, text: String(value) }));
      setTimeout(() => call('msg:custom', { n: message.n, values, more: false, error: null }, []));
    }
  },
  listeners: () => Object.values(heard).flat().length,
};
window.values = JSON.parse(document.getElementById('values').textContent);
const { default: panel } = await import(document.getElementById('module').href);
window.cleanup = panel.render({ model, el: document.getElementById('cell') });
window.shown = true;
"""

THEMES = {
    "light": {
        "layout-color1": "#fff", "ui-font-color1": "rgba(0,0,0,.87)", "brand-color1": "#1976d2",
        "ui-inverse-font-color0": "#fff", "success-color1": "#388e3c", "error-color1": "#d32f2f",
        "warn-color1": "#f57c00",
    },
    "dark": {
        "layout-color1": "#111", "ui-font-color1": "#fff", "brand-color1": "#2196f3",
        "ui-inverse-font-color0": "#000", "success-color1": "#4caf50", "error-color1": "#d32f2f",
        "warn-color1": "#f57c00",
    },
}  # fmt: skip
"""JupyterLab's variables that the panel uses."""

TYPES = {
    "year": ("int64", "number"), "month": ("int64", "number"), "day": ("int64", "number"),
    "dep_time": ("double", "number"), "dep_delay": ("double", "number"),
    "arr_delay": ("double", "number"), "carrier": ("string", "text"),
    "flight": ("int64", "number"), "tailnum": ("string", "text"), "origin": ("string", "text"),
    "dest": ("string", "text"), "distance": ("double", "number"), "late": ("bool", "bool"),
    "time_hour": ("timestamp[us, tz=America/New_York]", "time"),
}  # fmt: skip
COLUMNS = [{"name": name, "type": type_, "kind": kind} for name, (type_, kind) in TYPES.items()]


def operators() -> dict[str, list[dict[str, str]]]:
    """Those that fit each kind of column, as Python offers them."""
    same = [("=", "="), ("!=", "is not"), ("in", "is one of"), ("not_in", "is none of")]
    order = [("<", "<"), ("<=", "≤"), (">", ">"), (">=", "≥"), ("between", "is between")]
    texts = [("contains", "contains"), ("starts_with", "starts with"), ("like", "is like")]
    empty = [("is_null", "is empty"), ("not_null", "is not empty")]
    fitting = {
        "number": [*order[2:3], *same, *order[:2], *order[3:], *empty],
        "text": [*same, *texts, *empty],
        "time": [*order, *same, *empty],
        "date": [*order, *same, *empty],
        "bool": [*same[:2], *empty],
        "other": empty,
    }
    return {
        kind: [{"op": op, "label": label} for op, label in pairs] for kind, pairs in fitting.items()
    }


ROWS = [
    [2013, 1, 1, 1545.0, 101.0, 92.0, "MQ", 3944, "N942MQ", "EWR", "BWI", 184.0, True,
     "2013-01-01T08:00:00-05:00"],
    [2013, 1, 1, 1630.0, 71.0, None, "UA", 1141, "N534UA", "LGA", "MIA", 1089.0, True,
     "2013-01-01T09:00:00-05:00"],
    [2013, 1, 2, 905.0, 85.0, 80.0, "EV", 5713, None, "EWR", "<b>CLT</b>", 529.0, False,
     "2013-01-02T10:00:00-05:00"],
]  # fmt: skip
LOSS = {
    "kind": "time_zone", "column": "time_hour", "count": 27059, "dataset": None,
    "message": "loses its time zone (Excel has none)", "option": "timezone=text",
    "estimated": True, "text": "time_hour: loses its time zone", "example": None,
}  # fmt: skip


def job(id_: str, status: str, **more: Any) -> dict[str, Any]:
    progress = {
        "phase": "writing", "rows": 16742, "total_rows": 27059, "percent": 61.9,
        "bytes": 1_000_000, "rows_per_second": 410_211.0, "eta_seconds": 1.0,
    }  # fmt: skip
    return {
        "id": id_, "name": "flights", "status": status, "progress": progress, "format": "excel",
        "created_at": "2026-01-01T10:00:00Z", "finished_at": "2026-01-01T10:00:00.400Z",
        "result": None, "error": None, "spec": {"output": {"path": f"exports/{id_}.xlsx"}},
        "links": {}, **more,
    }  # fmt: skip


def traits(**changed: Any) -> dict[str, Any]:
    """What Python says of one frame, as of a frame of flights."""
    purposes = {"excel": "to read and share", "csv": "any program", "pdf": "to print"}
    formats = [
        {**each.to_json(), "purpose": purposes.get(each.type, each.endings[0])}
        for each in registry.formats().values()
    ]
    dataset = {
        "name": "data", "columns": [{"name": c["name"], "type": c["type"]} for c in COLUMNS],
        "rows": ROWS, "total_rows": 18_400, "estimated": True,
    }  # fmt: skip
    result = {
        "path": "exports/a.xlsx",
        "rows": 27059,
        "bytes": 2_100_000,
        "files": [],
        "losses": [],
    }
    return deepcopy(
        {
            "spec": {
                "source": {"type": "upload", "id": "{{flights}}"},
                "output": {"path": "exports/delays.xlsx"},
            },
            "catalog": {
                "frames": [
                    {"name": "flights", "kind": "DataFrame", "rows": 336776, "columns": 14},
                    {"name": "planes", "kind": "polars", "rows": 3322, "columns": 9},
                ],
                "connections": [{"name": "warehouse", "dialect": "postgresql", "kind": "database"}],
                "own_connections": ["engine"],
                "tables": {
                    "warehouse": [
                        {"schema": "public", "name": name, "columns": [], "rows": 1000}
                        for name in ("airports", "flights", "planes", "weather")
                    ]
                },
                "formats": formats,
                "templates": ["monthly-delays"],
                "has_server": True,
            },
            "columns": {"source": COLUMNS, "shaped": COLUMNS},
            "operators": operators(),
            "preview": {
                "for": 1, "status": "ok", "datasets": [dataset], "losses": [LOSS],
                "format": "excel", "bytes_estimate": 2_100_000, "error": None,
            },
            "summary": {
                "line": "%export flights exports/delays.xlsx", "path": "exports/delays.xlsx",
                "recommended": {"type": "parquet", "reason": "it keeps every type"},
                "problems": [],
            },
            "jobs": [
                job("a", "running"),
                job("b", "completed", result=result, links={"download": "/d/b", "open": "b.xlsx"}),
                job("c", "failed", error={"code": "x", "message": "No column “x”.", "hint": None}),
            ],
            "notice": {"kind": "ok", "text": "", "n": 0},
            **changed,
        }
    )  # fmt: skip


class PanelPage:
    """The panel in ``page``, and the hands of Python behind it."""

    def __init__(
        self,
        page: Page,
        *,
        width: int = 860,
        theme: str | None = "light",
        **changed: Any,
    ) -> None:
        self.page = page
        values = {"origin": ["EWR", "JFK", "LGA"], "carrier": ["9E", "AA", "UA"], "month": [1, 2]}
        variables = "".join(
            f"--jp-{name}:{value};" for name, value in THEMES.get(theme or "", {}).items()
        )
        dark = "#111" if theme == "dark" else "#fff"
        html = f"""<!doctype html><meta charset="utf-8"><title>panel</title>
            <style>body{{margin:0;background:{dark};{variables}}}
            #cell{{width:{width}px;margin:0 auto}}</style>
            <style>{assets.style()}</style>
            <body data-jp-theme-light="{str(theme != "dark").lower()}"><div id="cell"></div>
            <link id="module" href="http://panel.test/panel.mjs">
            <script type="application/json" id="traits">{_inert(traits(**changed))}</script>
            <script type="application/json" id="values">{_inert(values)}</script>
            <script type="module">{MODEL}</script>"""
        # Modules are not loaded from files: the page has an address, which no request leaves.
        page.unroute_all()
        page.route(
            "http://panel.test/**", lambda route: route.fulfill(body=html, content_type="text/html")
        )
        page.route(
            "**/panel.mjs",
            lambda route: route.fulfill(body=assets.module(), content_type="text/javascript"),
        )
        page.goto("http://panel.test/")
        page.wait_for_function("window.shown")

    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.page.evaluate("model.traits.spec")
        return spec

    def dataset(self, *fields: str) -> Any:
        """Return the spec without source, output and format; or some of its fields."""
        spec = {k: v for k, v in self.spec().items() if k not in ("source", "output", "format")}
        return spec.get(fields[0]) if fields else spec

    def push(self, **values: Any) -> None:
        """Set traits, as Python does."""
        self.page.evaluate(
            "(all) => Object.entries(all).forEach(([name, value]) => model.set(name, value))",
            values,
        )

    def sent(self) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = self.page.evaluate("model.sent")
        return sent

    def part(self, name: str) -> Any:
        return self.page.locator(f'[data-jxp="{name}"]')

    def focused(self) -> str:
        said: str = self.page.evaluate(
            "(({activeElement: at}) => at.getAttribute('aria-label') || at.textContent)(document)"
        )
        return said


def _inert(value: Any) -> str:
    return json.dumps(value).replace("<", "\\u003c")
