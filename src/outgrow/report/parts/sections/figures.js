"use strict";
// The figures: drawn by Vega from rows that stand in this file; saved as SVG, PNG and CSV. A figure's panels stand beside one
// another where they are few; else a list chooses the one that is shown.
sections.figures = {
  views: [],
  start(figures) {
    for (const view of this.views) view.finalize();
    this.views = [];
    for (const figure of figures ?? []) {
      const read = (value, at) => (figure.texts[at].length && value !== null ? figure.texts[at][value] : value);
      for (const panel of figure.panels) panel.rows = panel.rows.map((row) => row.map(read));
    }
    return Promise.all([...document.querySelectorAll("figure[data-figure]")].flatMap((element) => {
      const figure = figures[Number(element.dataset.figure)];
      const select = element.querySelector("select.panel");
      const details = element.querySelector("details");
      const parts = [...element.querySelectorAll(".panel-of")];
      const panelOf = (place) => Number(select?.value ?? place);
      const shown = parts.map(() => null);

      const draw = async (place) => {
        shown[place]?.finalize();
        const part = parts[place];
        const panel = figure.panels[panelOf(place)];
        const values = panel.rows.map((row) => Object.fromEntries(row.map((value, at) => [figure.columns[at], value])));
        const bands = figure.band ? new Set(values.map((row) => row[figure.band])).size : 1;
        const name = part.querySelector(".panel-name");
        if (name) {
          name.hidden = !panel.name;
          name.firstElementChild.textContent = panel.name;
        }
        const chart = part.querySelector(".chart");
        const made = await vegaEmbed(chart, { ...figure.spec, height: figure.spec.height * bands, datasets: { rows: values } },
          { actions: false, renderer: "svg", ast: true, mode: "vega-lite", tooltip: { theme: "custom" } });
        // The figure's own name says what it is, and its data follow as a table: hundreds of marks would say less.
        chart.querySelector("svg").setAttribute("aria-hidden", "true");
        chart.dataset.panel = panelOf(place);
        shown[place] = made;
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
        const several = parts.length > 1;
        line(several ? ["panel", ...figure.columns] : figure.columns, "th", table.createTHead());
        const body = table.createTBody();
        for (const place of parts.keys()) {
          const panel = figure.panels[panelOf(place)];
          for (const row of panel.rows) line(several ? [panel.name, ...row] : row, "td", body);
        }
        details.querySelector("div").replaceChildren(table);
      };

      select?.addEventListener("change", () => draw(0));
      details.addEventListener("toggle", () => details.open && fill());
      const saves = (part) => (parts.length > 1 ? part : element).querySelectorAll("[data-save]");
      parts.forEach((part, place) => saves(part).forEach((button) => button.addEventListener("click", async () => {
        const kind = button.dataset.save;
        const panel = figure.panels[panelOf(place)];
        const stem = figure.name + (panel.name ? "-" + panel.name.replace(/[^\w.=-]+/g, "-").slice(0, 60) : "");
        if (kind === "csv") save(`${stem}.csv`, "text/csv", csv([figure.columns, ...panel.rows]));
        else if (kind === "svg") save(`${stem}.svg`, "image/svg+xml", await shown[place].view.toSVG());
        else save(`${stem}.png`, "image/png", await shown[place].view.toImageURL("png", 2));
      })));
      return parts.map((_, place) => draw(place));
    }));
  },
};
