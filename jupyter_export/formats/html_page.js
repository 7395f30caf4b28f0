(() => {
  const tables = [...document.querySelectorAll("table")];
  const number = (text, point) => {
    if (/inf/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
    const plain = text.replace(point === "," ? /[^\d,eE+-]/g : /[^\d.eE+-]/g, "").replace(",", ".");
    const value = Number(plain);
    return plain === "" || Number.isNaN(value) ? -Infinity : value;
  };
  for (const table of tables) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const point = table.dataset.point ?? ".";
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      const button = document.createElement("button");
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const next = { null: "ascending", ascending: "descending", descending: null }[
          head.getAttribute("aria-sort")];
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        let rows = original;
        if (next) {
          head.setAttribute("aria-sort", next);
          const key = head.classList.contains("n")
            ? (row) => number(row.cells[index].textContent, point)
            : (row) => row.cells[index].textContent;
          const order = head.classList.contains("n")
            ? (a, b) => (a[0] > b[0]) - (a[0] < b[0])
            : (a, b) => a[0].localeCompare(b[0]);
          const keyed = original.map((row) => [key(row), row]).sort(order);
          if (next === "descending") keyed.reverse();
          rows = keyed.map((pair) => pair[1]);
        }
        // one by one: a call takes no hundred thousand arguments
        const moved = document.createDocumentFragment();
        for (const row of rows) moved.append(row);
        body.append(moved);
      });
    });
  }
  const tools = document.querySelector(".tools");
  const [input, output] = tools.children;
  tools.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.toLocaleLowerCase();
    let kept = 0, all = 0;
    for (const table of tables)
      for (const row of table.tBodies[0].rows) {
        const keep = row.textContent.toLocaleLowerCase().includes(wanted);
        row.hidden = !keep;
        kept += keep;
        all += 1;
      }
    output.textContent = wanted ? `${kept.toLocaleString()} of ${all.toLocaleString()} rows` : "";
  });
})();
