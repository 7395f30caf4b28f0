"""The panel's view alone: what it shows of a document, and what document its controls make."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from .panel_page import COLUMNS, PanelPage, job, traits


def test_columns_by_mouse_and_by_keyboard(page: Page) -> None:
    panel = PanelPage(page)
    keys = page.keyboard

    def chip(name: str) -> Any:
        return page.locator(f'[data-column="{name}"]')

    assert panel.dataset() == {}
    chip("year").click()
    expect(chip("year")).to_have_attribute("aria-pressed", "false")
    chip("month").focus()
    keys.press("Space")
    assert panel.dataset() == {"columns": {"exclude": ["year", "month"]}}
    assert panel.focused() == "month"
    keys.press("Space")
    chip("year").click()
    assert panel.dataset() == {}  # as it was: nothing is written
    chip("month").focus()
    keys.press("Alt+ArrowLeft")
    assert panel.dataset() == {"columns": {"order": ["month"]}}
    assert panel.focused() == "month"
    expect(page.get_by_text("month moved to place 1 of 14")).to_be_attached()
    keys.press("Alt+ArrowRight")
    chip("origin").drag_to(chip("day"), target_position={"x": 2, "y": 5})
    assert panel.dataset("columns") == {"order": ["year", "month", "origin"]}
    chip("tailnum").dblclick()
    keys.type("plane")
    keys.press("Enter")
    expect(chip("tailnum")).to_have_text("tailnum → plane")
    assert panel.dataset("columns")["rename"] == {"tailnum": "plane"}
    keys.press("F2")
    keys.press("Escape")
    assert panel.focused() == "tailnum → plane"
    page.get_by_label("Export none of the columns").click()
    chip("dest").click()
    chip("carrier").click()
    assert panel.dataset("columns") == {
        "include": ["carrier", "dest"],
        "rename": {"tailnum": "plane"},
    }
    # another view, or Python, wrote the document: the chips follow, those left out are folded
    panel.push(spec={**panel.spec(), "columns": ["dest"]})
    expect(page.locator(".jxp-chip")).to_have_text(["dest", "year", "month", "+11"])
    page.get_by_label("Show 11 more columns").click()
    expect(page.locator("[data-column]")).to_have_count(14)


def test_many_columns_are_searched(page: Page) -> None:
    columns = [{"name": f"c{i}", "type": "int64", "kind": "number"} for i in range(300)]
    panel = PanelPage(page, columns={"source": columns, "shaped": columns})
    expect(page.locator("[data-column]")).to_have_count(40)
    page.get_by_label("Search columns").fill("c29")
    expect(page.locator("[data-column]")).to_have_count(11)
    page.locator('[data-column="c290"]').click()
    assert panel.dataset() == {"columns": {"exclude": ["c290"]}}


def test_a_filter_is_built_by_keyboard(page: Page) -> None:
    panel = PanelPage(page)
    where = panel.part("where")
    keys = page.keyboard
    where.get_by_label("Add a rule").focus()
    keys.press("Enter")
    assert panel.focused() == "Column"
    where.get_by_label("Column").select_option("dep_delay")
    assert panel.dataset() == {}  # a rule without a value is not used yet
    value = where.get_by_label("Value compared with dep_delay")
    value.focus()
    keys.type("60.50")
    assert panel.dataset("where") == {"column": "dep_delay", "op": ">", "value": 60.5}
    # Python's answers come while somebody types: the text and the caret stay
    keys.press("ArrowLeft")
    panel.push(preview={**traits()["preview"], "status": "busy"}, jobs=[])
    expect(value).to_have_value("60.50")
    keys.type("7")
    expect(value).to_have_value("60.570")
    keys.press("Tab")
    expect(value).to_have_value("60.57")
    value.fill("x")
    expect(value).to_have_attribute("aria-invalid", "true")
    assert panel.dataset() == {}
    value.fill("60")

    where.get_by_label("Add a rule").click()
    where.get_by_label("Column").nth(1).select_option("origin")
    where.get_by_label("Operator").nth(1).select_option("in")
    where.get_by_label("Pick from the values of origin").focus()
    keys.press("Enter")
    found = where.get_by_role("listbox").get_by_role("option")
    expect(found).to_have_count(3)
    assert panel.focused() == "Values of origin"
    keys.press("Enter")
    keys.type("lg")
    expect(found).to_have_text(["LGA"])
    keys.press("Enter")
    keys.press("Escape")
    assert panel.focused() == "Pick from the values of origin"
    first = {"column": "dep_delay", "op": ">", "value": 60}
    second = {"column": "origin", "op": "in", "value": ["EWR", "LGA"]}
    assert panel.dataset("where") == {"and": [first, second]}

    where.get_by_label("Add a group of rules").click()
    where.get_by_label("Column").nth(2).select_option("late")
    where.get_by_label("Value compared with late").select_option("true")
    where.get_by_label("Not this group").click()
    where.get_by_label("Rules are joined by").first.select_option("or")
    third = {"not": {"column": "late", "op": "=", "value": True}}
    assert panel.dataset("where") == {"or": [first, second, third]}
    where.get_by_label("Remove the rule on dep_delay").click()
    assert panel.focused() == "Remove the rule on origin"
    where.get_by_role("button", name="as SQL").click()
    assert panel.dataset("where") == "\"origin\" IN ('EWR', 'LGA') OR NOT (\"late\" = TRUE)"


def test_a_filter_that_came_from_elsewhere_is_kept(page: Page) -> None:
    null = {"column": "b", "op": "=", "value": None}
    both = {"and": [{"column": "a", "op": "is_null"}, null]}
    wheres: list[Any] = [
        {"or": [{"not": both}, {"column": "gone", "op": "between", "value": [1, 2]}]},
        {"not": {"not": {"column": "year", "op": "regex", "value": "x"}}},
        {"column": "year", "op": "=", "value": "{{year=2013}}"},
        "dep_delay > 60 AND origin = 'EWR'",
    ]
    panel = PanelPage(page)
    for where in wheres:
        spec = {"source": {"type": "upload", "id": "{{flights}}"}, "where": where, "later": [1]}
        panel.push(spec=spec)
        page.locator('[data-column="year"]').click()
        assert panel.spec() == {**spec, "columns": {"exclude": ["year"]}}


def test_groups_times_and_the_rest(page: Page) -> None:
    panel = PanelPage(page)
    group = panel.part("group")
    group.get_by_label("Add a column to group by").select_option("carrier")
    group.get_by_label("Add a column to group by").select_option("time_hour")
    group.get_by_label("Stretch of time").select_option("1 month")
    group.get_by_label("Name of time_hour").fill("month")
    group.get_by_label("Add an aggregate").click()
    group.get_by_label("Function").select_option("percentile")
    group.get_by_label("Column").last.select_option("dep_delay")
    group.get_by_label("Share of the values").fill("0.9")
    assert panel.dataset() == {
        "group_by": ["carrier", {"column": "time_hour", "time_bucket": "1 month", "as": "month"}],
        "aggregates": [{"function": "percentile", "column": "dep_delay", "p": 0.9}],
    }
    time = panel.part("time")
    time.get_by_label("Time column").select_option("time_hour")
    time.get_by_label("Time from").fill("2013-01-01T00:00")
    assert panel.dataset("time_range") == {"column": "time_hour", "start": "2013-01-01T00:00"}

    page.get_by_role("button", name="More").first.click()
    panel.part("pivot").get_by_label("Values that become columns").select_option("carrier")
    assert panel.dataset("pivot") is None
    panel.part("pivot").get_by_label("Values of the pivot").select_option("p90_dep_delay")
    panel.part("pivot").get_by_label("How values that meet").select_option("max")
    assert panel.dataset("pivot") == {"on": "carrier", "values": "p90_dep_delay", "function": "max"}
    panel.part("sort").get_by_label("Add a column to sort by").select_option("day")
    page.get_by_label("day: ascending").click()
    panel.part("limit").get_by_label("Most rows").fill("1,000")
    page.get_by_label("only distinct rows").check()
    panel.part("sample").get_by_label("Sample").select_option("rows")
    panel.part("computed").get_by_label("Add a new column").click()
    page.keyboard.type("speed")
    page.keyboard.press("Tab")
    page.keyboard.type("distance / 60")
    made = panel.dataset()
    assert made["sort"] == [{"column": "day", "descending": True}]
    assert (made["limit"], made["distinct"], made["sample"]) == (1000, True, {"rows": 1000})
    assert made["computed"] == [{"name": "speed", "expression": "distance / 60"}]
    for name in (
        "Remove the pivot",
        "Do not sort by day",
        "Remove speed",
        "Do not group by carrier",
    ):
        page.get_by_label(name).click()
    assert not {"pivot", "sort", "computed"} & panel.dataset().keys()


def test_the_format_its_options_and_its_losses(page: Page) -> None:
    panel = PanelPage(page)
    options = panel.part("options")
    losses = panel.part("losses")
    expect(page.get_by_role("radio", name="Excel")).to_be_checked()
    losses.get_by_role("button", name="Avoid it for time_hour: set timezone to text").click()
    assert panel.spec()["format"] == {"type": "excel", "timezone": "text"}
    panel.push(spec={**panel.spec(), "format": {"type": "excel"}})
    page.get_by_role("button", name="more options").click()
    page.get_by_label("Search options").fill("freeze")
    options.get_by_label("Freeze panes").select_option(label="a text…")
    page.keyboard.type("B2")
    page.get_by_label("Search options").fill("chart")
    charts = options.get_by_label("Charts, as JSON")
    charts.fill('[{"type": "bar"')
    expect(options.get_by_text("This is not JSON")).to_be_visible()
    charts.fill('[{"type": "bar", "y": ["day"]}]')
    expect(options.get_by_text("This is not JSON")).to_have_count(0)
    made = {"type": "excel", "freeze_panes": "B2", "charts": [{"type": "bar", "y": ["day"]}]}
    assert panel.spec()["format"] == made

    page.get_by_role("radio", name="CSV").check()
    assert panel.spec()["output"] == {"path": "exports/delays.csv"}
    assert "format" not in panel.spec()  # the name says it
    page.get_by_label("Search options").fill("")
    options.get_by_label("Delimiter").fill("\\t")
    options.get_by_label("Quote", exact=True).select_option(label="all")
    options.get_by_label("Decimals").fill("99")
    expect(options.get_by_text("At most 15.")).to_be_visible()
    assert panel.spec()["format"] == {"type": "csv", "delimiter": "\t", "quote": "all"}
    options.get_by_label("Reset Quote to its default").click()
    page.get_by_label("Compression").select_option("gzip")
    assert panel.spec()["output"] == {"path": "exports/delays.csv.gz"}
    page.get_by_role("radio", name="Excel").check()
    assert panel.spec()["output"] == {"path": "exports/delays.xlsx"}
    assert panel.spec()["format"] == made  # what was set before is back
    page.get_by_label("To this file").fill("a.cs")
    assert panel.spec()["format"] == made  # no ending yet: the format stays
    page.get_by_label("To this file").fill("a.csv")
    assert panel.spec()["format"] == {"type": "csv", "delimiter": "\t"}
    page.get_by_label("If the file is there already").select_option("replace")
    assert panel.spec()["output"] == {"path": "a.csv", "if_exists": "replace"}


def test_sources_and_several_datasets(page: Page) -> None:
    panel = PanelPage(page, spec={"later": True})
    source = page.get_by_label("Export", exact=True).and_(page.locator("select"))
    export = panel.part("export")
    expect(export).to_have_attribute("aria-disabled", "true")
    export.click(force=True)
    source.focus()
    source.select_option("frame:planes")
    assert panel.spec() == {"later": True, "source": {"type": "upload", "id": "{{planes}}"}}
    export.click()
    assert [each["do"] for each in panel.sent()] == ["refresh", "export"]
    panel.push(jobs=[job("new", "running"), *traits()["jobs"]])
    expect(page.get_by_text("new.xlsx: 61 %…")).to_be_visible()
    source.select_option("connection:warehouse")
    page.get_by_label("Tables of warehouse").first.fill("fli")
    page.keyboard.press("Enter")
    table = {"type": "table", "connection": "warehouse", "schema": "public", "table": "flights"}
    assert panel.spec()["source"] == table
    assert "public.flights" in panel.focused()
    page.get_by_role("button", name="SQL", exact=True).click()
    page.get_by_label("SQL query on warehouse").fill("SELECT 1")
    query = {"type": "sql", "connection": "warehouse", "query": "SELECT 1"}
    assert panel.spec()["source"] == query
    page.get_by_role("button", name="Table", exact=True).click()
    assert panel.spec()["source"] == table
    source.select_option("file")
    page.get_by_label("Path of the file").fill("a.parquet")
    assert panel.spec()["source"] == {"type": "file", "path": ""}  # until it is written to its end
    page.keyboard.press("Enter")
    assert panel.spec()["source"] == {"type": "file", "path": "a.parquet"}

    first: dict[str, Any] = {"name": "a", "source": table}
    second: dict[str, Any] = {"name": "b", "source": query, "future": 1}
    panel.push(spec={"datasets": [first, second], "relations": []})
    page.get_by_role("button", name="b", exact=True).click()
    panel.part("where").get_by_label("Add a rule").click()
    panel.part("where").get_by_label("Value compared with year").fill("1")
    rule = {"column": "year", "op": ">", "value": 1}
    changed = [first, {**second, "where": rule}]
    assert panel.spec() == {"datasets": changed, "relations": []}
    panel.push(
        summary={
            **traits()["summary"],
            "problems": [{"field": "datasets[1].where", "message": "No such.", "hint": "Look."}],
        }
    )
    expect(panel.part("where").get_by_text("No such. Look.")).to_be_visible()
    expect(export).to_have_attribute("aria-disabled", "true")


def test_preview_footer_jobs_and_the_end(page: Page) -> None:
    evil = '<img src=x onerror="throw new Error(1)">'
    panel = PanelPage(page)
    preview = panel.part("preview")
    expect(preview).to_contain_text("first 3 of about 18,400 rows")
    expect(preview.get_by_text("<b>CLT</b>")).to_be_visible()
    expect(preview.locator("td.jxp-null").first).to_have_text("∅")
    table = preview.locator("table")
    page.evaluate("document.querySelector('table').dataset.same = '1'")
    error = {"message": f"No column {evil}.", "hint": "Did you mean day?", "field": "where"}
    panel.push(preview={**traits()["preview"], "status": "error", "error": error})
    expect(preview.get_by_role("alert")).to_contain_text("Did you mean day?")
    expect(table).to_have_attribute("data-same", "1")  # the old rows stay
    dataset: dict[str, Any] = {
        "name": evil, "columns": [{"name": evil, "type": "string"}], "rows": [[evil]],
        "total_rows": 1, "estimated": False,
    }  # fmt: skip
    panel.push(
        preview={"status": "ok", "datasets": [dataset], "losses": [], "format": "csv"},
        summary={**traits()["summary"], "line": evil},
        jobs=[job("b", "completed", result={"path": evil, "rows": 1, "bytes": 1, "losses": []})],
        notice={"kind": "ok", "text": evil, "n": 1},
    )
    expect(preview).to_contain_text("the only row")
    expect(page.locator("img")).to_have_count(0)

    panel.push(jobs=traits()["jobs"])
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", "61")
    page.get_by_label("Cancel a.xlsx").click()
    expect(page.get_by_role("link", name="Download a.xlsx")).to_have_attribute("href", "/d/b")
    page.get_by_role("button", name="Save as template").click()
    page.keyboard.type("monthly delays")
    page.get_by_role("button", name="Replace it").click()
    page.get_by_label("Load a template").select_option("monthly-delays")
    page.get_by_role("button", name="Paste").click()
    page.keyboard.type("%export flights a.csv")
    page.keyboard.press("Control+Enter")
    assert panel.sent() == [
        {"do": "cancel", "id": "a"},
        {"do": "save_template", "name": "monthly-delays", "replace": True},
        {"do": "load_template", "name": "monthly-delays"},
        {"do": "paste", "text": "%export flights a.csv"},
    ]
    page.get_by_role("button", name="Copy JSON").click()
    expect(page.get_by_role("status").get_by_text("The JSON is copied.")).to_be_visible()
    page.evaluate("cleanup()")
    assert page.evaluate(
        "[model.listeners(), document.querySelector('#cell').children.length]"
    ) == [0, 0]


ODD: list[Any] = [None, 5, "x", True, [], {}, [None], [5], ["x"], [[]], {"a": 1}]
STRANGE = [
    *(
        {field: value}
        for field in (
            "where", "time_range", "sample", "computed", "group_by", "aggregates", "pivot",
            "columns", "distinct", "sort", "limit", "format", "output", "compression", "source",
            "datasets", "name", "on_loss",
        )
        for value in ODD
    ),
    {"where": {"and": ["a > 1", None]}}, {"where": {"column": 5, "op": 3, "value": {}}},
    {"where": {"column": "day", "op": "between", "value": 5}}, {"columns": {"include": 5}},
    {"columns": {"order": "x", "rename": {"year": 5}}}, {"columns": {"computed": 5}},
    {"pivot": {"on": 5, "values": [], "index": "x"}}, {"computed": [{"expression": 5}]},
    {"source": {"type": "sql", "query": 5}}, {"source": {"type": "table", "table": {}}},
    {"output": {"path": 5}}, {"format": {"type": "excel", "sheet": 5, "freeze_panes": []}},
]  # fmt: skip
"""What no spec has, and somebody may paste nevertheless."""


def test_nothing_that_is_pasted_breaks_it(page: Page) -> None:
    """The fixture fails where a script throws."""
    panel = PanelPage(page)
    whole = panel.spec()
    show = """([whole, all]) => all.reduce((before, fields) => before.then(() => {
      model.set('spec', {...whole, ...fields});
      return new Promise(setTimeout);
    }), Promise.resolve())"""
    page.evaluate(show, [whole, STRANGE])
    # what cannot be shown stays, and the short form of a format is one
    panel.push(
        spec={**whole, "group_by": "carrier", "format": "json", "deliver": [5], "x": {"y": 1}}
    )
    expect(page.locator('[data-format="json"]')).to_have_class("jxp-card jxp-on")
    page.locator('[data-column="year"]').click()
    assert panel.spec() == {
        **whole,
        "group_by": "carrier", "format": "json", "deliver": [5], "x": {"y": 1},
        "columns": {"exclude": ["year"]},
    }  # fmt: skip
    # things of one name are drawn once each time
    problem = {"field": "where", "message": "One.", "hint": None}
    twice = [*COLUMNS[:2], *COLUMNS[:2], {"name": "", "type": "double", "kind": "number"}]
    panel.push(
        spec={**whole, "sort": ["year", "year"]},
        columns={"source": twice, "shaped": twice},
        summary={**traits()["summary"], "problems": [problem, problem]},
    )
    expect(page.locator("[data-column]")).to_have_text(["year", "month"] * 2 + ["(no name)"])
    panel.push(notice={"kind": "ok", "text": "again", "n": 1})
    expect(page.get_by_text("again")).to_be_visible()
    expect(page.locator("[data-column]")).to_have_count(5)
    expect(page.locator(".jxp-sort")).to_have_count(2)
    expect(panel.part("where").get_by_text("One.")).to_have_count(2)
    # the kernel is started anew: this is said, and nothing is sent any more
    panel.push(summary=traits()["summary"])
    page.evaluate("() => { model.send = () => { throw new Error('Cannot send'); }; }")
    panel.part("export").click()
    expect(page.get_by_text("The kernel of this panel is gone.")).to_be_visible()
    expect(panel.part("export")).to_have_attribute("aria-disabled", "true")


def test_it_fits_and_can_be_read(page: Page) -> None:
    """At 400 px nothing is wider than the cell; each control has a name; texts have contrast."""
    for theme, scheme in (("light", "dark"), ("dark", "light"), (None, "dark"), (None, "light")):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        PanelPage(page, width=400, theme=theme)
        page.get_by_role("button", name="More").first.click()
        page.get_by_role("button", name="more options").click()
        assert page.evaluate(CHECK) == [], (theme, scheme)


CHECK = """() => {
  const found = [];
  const root = document.querySelector('.jxp-panel');
  const right = root.getBoundingClientRect().right;
  const shown = (each) => each.checkVisibility() && !each.closest('.jxp-hidden, .jxp-table-scroll');
  const parse = (text) => {
    const context = document.createElement('canvas').getContext('2d');
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  };
  const light = (text) => [...parse(text)].slice(0, 3)
    .map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (each) => {
    for (let at = each; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (parse(colour)[3] === 255) return colour;
    }
    return '#fff';
  };
  for (const each of root.querySelectorAll('*')) {
    if (!shown(each)) continue;
    const start = each.outerHTML.slice(0, 90);
    if (each.getBoundingClientRect().right > right + 0.5) found.push(['wide', start]);
    if (each.matches('button, a, input, select, textarea')) {
      const label = each.getAttribute('aria-label') || each.labels?.[0]?.textContent;
      if (!label && !each.textContent.trim()) found.push(['no name', start]);
    }
    const text = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (text && !each.closest(':disabled, [aria-disabled=true]')) {
      const pair = [light(getComputedStyle(each).color), light(ground(each))].sort((a, b) => b - a);
      const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
      if (contrast < 4.5) found.push([contrast.toFixed(1), start]);
    }
  }
  return found;
}"""
