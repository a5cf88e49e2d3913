"use strict";
// The figures: drawn by Vega from rows that stand in this file; saved as SVG, PNG and CSV.
sections.figures = {
  views: [],
  start(figures) {
    for (const view of this.views) view.finalize();
    this.views = [];
    return Promise.all([...document.querySelectorAll("figure[data-figure]")].map((element) => {
      const figure = figures[Number(element.dataset.figure)];
      const select = element.querySelector("select.panel");
      const details = element.querySelector("details");
      let shown = null;
      const rows = () => figure.panels[Number(select?.value ?? 0)];

      const draw = async () => {
        shown?.finalize();
        const panel = rows();
        const values = panel.rows.map((row) => Object.fromEntries(row.map((value, place) => [figure.columns[place], value])));
        const bands = figure.band ? new Set(values.map((row) => row[figure.band])).size : 1;
        const name = element.querySelector(".panel-name");
        name.hidden = !panel.name;
        name.firstElementChild.textContent = panel.name;
        const made = await vegaEmbed(element.querySelector(".chart"), { ...figure.spec, height: figure.spec.height * bands, datasets: { rows: values } },
          { actions: false, renderer: "svg", ast: true, mode: "vega-lite", tooltip: { theme: "custom" } });
        // The figure's own name says what it is, and its data follow as a table: hundreds of marks would say less.
        element.querySelector(".chart svg").setAttribute("aria-hidden", "true");
        element.querySelector(".chart").dataset.panel = select?.value ?? 0;
        shown = made;
        this.views.push(made);
        if (details.open) fill();
      };
      const fill = () => {
        const table = document.createElement("table");
        const line = (values, kind, parent) => {
          const row = parent.insertRow();
          for (const value of values) {
            const cell = document.createElement(kind);
            if (kind === "th") cell.scope = "col";
            cell.textContent = value ?? "";
            row.append(cell);
          }
        };
        line(figure.columns, "th", table.createTHead());
        const body = table.createTBody();
        for (const row of rows().rows) line(row, "td", body);
        details.querySelector("div").replaceChildren(table);
      };

      select?.addEventListener("change", draw);
      details.addEventListener("toggle", () => details.open && fill());
      element.querySelectorAll("[data-save]").forEach((button) => button.addEventListener("click", async () => {
        const kind = button.dataset.save;
        const stem = figure.name + (rows().name ? "-" + rows().name.replace(/[^\w.=-]+/g, "-").slice(0, 60) : "");
        if (kind === "csv") save(`${stem}.csv`, "text/csv", csv([figure.columns, ...rows().rows]));
        else if (kind === "svg") save(`${stem}.svg`, "image/svg+xml", await shown.view.toSVG());
        else save(`${stem}.png`, "image/png", await shown.view.toImageURL("png", 2));
      }));
      return draw();
    }));
  },
};
