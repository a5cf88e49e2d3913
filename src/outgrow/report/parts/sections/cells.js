"use strict";
// The table of cells: bars, sort by a click on a head, filter by text and by name, save as CSV.

// A number with its interval as a bar beneath it, on a scale from `low` to `high`, between strokes at `ends`.
function drawBar(cell, [low, high], ends, joined) {
  const { value, low: from, high: to } = cell.dataset;
  if (value === undefined) return;
  const at = (number) => `${(100 * (Math.min(Math.max(number, low), high) - low) / (high - low)).toFixed(2)}%`;
  const svg = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, text] of Object.entries(attributes)) made.setAttribute(name, text);
    return made;
  };
  const line = (kind, x1, x2, y1 = 8, y2 = 8) => svg("line", { class: kind, x1: at(x1), x2: at(x2), y1, y2 });
  const bar = svg("svg", { class: "bar", "aria-hidden": "true", focusable: "false" });
  if (ends.length === 2) bar.append(line(joined, ...ends));
  if (from !== undefined) bar.append(line("span", from, to));
  bar.append(...ends.map((end) => line("end", end, end, 2.5, 13.5)), svg("circle", { class: "dot", cx: at(value), cy: 8, r: 3.5 }));
  cell.append(bar);
}

sections.cells = {
  start() {
    const table = document.getElementById("cells-table");
    const body = table.tBodies[0];
    const heads = [...table.tHead.querySelectorAll("th")];
    const rows = [...body.rows];
    const form = document.getElementById("filter");
    const find = document.getElementById("filter-text");
    const sortBy = document.getElementById("sort-by");
    const choices = [...form.querySelectorAll("select[data-column]")];
    const places = Object.fromEntries(heads.map((head, place) => [head.dataset.column, place]));
    const [accuracies, shares] = [table.dataset.accuracies, table.dataset.shares].map((ends) => ends.split(" ").map(Number));
    for (const row of rows) {
      for (const cell of row.cells) {
        cell.setAttribute("role", "cell");
        if (cell.classList.contains("name")) cell.title = cell.dataset.value;
        if (!cell.hasAttribute("colspan")) cell.dataset.label = heads[cell.cellIndex].textContent;
      }
      if (row.dataset.cell === undefined) continue;
      const [weak, student, ceiling, pgr] = ["weak_accuracy", "student_accuracy", "ceiling_accuracy", "pgr"]
        .map((name) => row.cells[places[name]]);
      const around = [weak, ceiling].map((cell) => cell.dataset.value).filter((value) => value !== undefined).map(Number);
      drawBar(student, accuracies, around, "gap");
      drawBar(pgr, shares, [0, 1], "base");
    }
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

    const show = () => {
      const wanted = find.value.trim().toLowerCase();
      let count = 0;
      for (const row of rows) {
        const fits = texts.get(row).includes(wanted) &&
          choices.every((select) => !select.value || row.cells[places[select.dataset.column]].dataset.value === select.value);
        row.hidden = !fits;
        count += fits ? 1 : 0;
      }
      document.getElementById("cells-count").textContent =
        count === rows.length ? "" : `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} cells are shown.`;
    };

    const value = (row, place) => row.cells[place]?.dataset.value ?? "";
    const sort = (column, direction) => {
      for (const head of heads) head.setAttribute("aria-sort", head.dataset.column === column ? direction : "none");
      const place = places[column];
      const sign = direction === "descending" ? -1 : 1;
      const numeric = place !== undefined && heads[place].classList.contains("number");
      const order = direction === "none" || place === undefined ? rows : rows.toSorted((a, b) => {
        const [x, y] = [value(a, place), value(b, place)];
        if (x === "" || y === "") return (x === "") - (y === "");  // what is undefined comes last, whichever way
        return sign * (numeric ? x - y : x.localeCompare(y, "en", { numeric: true }));
      });
      body.append(...order);
      sortBy.value = direction === "none" ? "" : column;
    };

    heads.forEach((head) => head.querySelector("button").addEventListener("click", () => {
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const now = head.getAttribute("aria-sort");
      sort(head.dataset.column, now === "none" ? first : now === first ? other : "none");
    }));
    sortBy.addEventListener("change", () => {
      const head = heads[places[sortBy.value]];
      sort(sortBy.value, head ? (head.classList.contains("number") ? "descending" : "ascending") : "none");
    });
    form.addEventListener("input", (event) => event.target === sortBy || show());
    form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("cells-csv").addEventListener("click", () => {
      const columns = heads.flatMap((head) => head.classList.contains("number")
        ? [head.dataset.column, `${head.dataset.column}_low`, `${head.dataset.column}_high`] : [head.dataset.column]);
      const lines = rows.filter((row) => row.dataset.cell !== undefined && !row.hidden).map((row) => heads.flatMap((head, place) => {
        const cell = row.cells[place].dataset;
        return head.classList.contains("number") ? [cell.value, cell.low, cell.high].map(numberOrNothing) : [cell.value];
      }));
      save("cells.csv", "text/csv", csv([columns, ...lines]));
    });
    this.state = () => {
      const head = heads.find((one) => one.getAttribute("aria-sort") !== "none");
      return head ? [head.dataset.column, head.getAttribute("aria-sort")] : null;
    };
    this.restore = (sorted) => { if (sorted) sort(...sorted); show(); };
  },
};
