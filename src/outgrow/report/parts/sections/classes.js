"use strict";
// Each class of the cell in view, and the student's confusions. Names of classes go into the page as text.
sections.classes = {
  start(data) {
    const select = document.getElementById("classes-cell");
    if (!select || !data) return;
    const chosen = offerCells(select, data.cells);
    const part = (name) => document.getElementById(name);
    const MODELS = [["weak", "supervisor"], ["student", "student"], ["ceiling", "ceiling"]];
    const MEASURES = [["recall", "recall"], ["precision", "precision"], ["f1", "F1"]];

    // Three decimals without a leading zero, as in the table of cells.
    const share = (thousandths) => (thousandths === null || thousandths === undefined ? "–"
      : thousandths === 1000 ? "1.000" : `.${String(thousandths).padStart(3, "0")}`);
    // A mean over seeds has its decimal, also where it is whole.
    const shown = (count) => count.toLocaleString("en", { minimumFractionDigits: chosen().seeds > 1 ? 1 : 0 });
    const head = (row, text, scope, span = 1) => {
      const cell = document.createElement("th");
      const name = document.createElement("bdi");
      cell.scope = scope;
      cell.colSpan = span;
      name.textContent = text;
      if (text.length > 60) cell.title = text;  // a long name is cut after four lines
      cell.append(name);
      row.append(cell);
      return cell;
    };
    const number = (row, text) => {
      const cell = row.insertCell();
      cell.className = "number";
      cell.textContent = text;
      return cell;
    };
    const fresh = (name, kind = "") => {
      const table = part(name);
      table.replaceChildren();
      table.className = kind;
      return table;
    };

    const showClasses = (task, models) => {
      const table = fresh("classes-table");
      const top = table.createTHead().insertRow();
      const under = table.tHead.insertRow();
      for (const text of ["class", "n"]) head(top, text, "col").rowSpan = 2;
      for (const [, title] of MEASURES) head(top, title, "colgroup", models.length);
      for (const _ of MEASURES) for (const [role] of models) head(under, role, "col").classList.toggle("measure", role === models[0][0]);
      const body = table.createTBody();
      task.shown.forEach((place, at) => {
        const row = body.insertRow();
        head(row, task.classes[place], "row");
        number(row, task.n[at].toLocaleString("en"));
        for (const [name] of MEASURES) {
          for (const [, , model] of models) number(row, share(model[name][at])).classList.toggle("measure", model === models[0][2]);
        }
      });
    };

    const showMatrix = (task, matrix) => {
      const table = fresh("confusion-table");
      const top = table.createTHead().insertRow();
      head(top, "truth", "col");
      for (const name of task.classes) head(top, name, "col");
      head(top, "n", "col");
      const body = table.createTBody();
      matrix.forEach((counts, place) => {
        const row = body.insertRow();
        const all = counts.reduce((sum, count) => sum + count, 0);
        head(row, task.classes[place], "row");
        for (const count of counts) {
          const cell = number(row, shown(count));
          cell.classList.add("shaded");
          cell.style.setProperty("--share", all ? count / all : 0);
        }
        number(row, Math.round(all).toLocaleString("en"));
      });
    };
    const showLargest = (task, largest) => {
      const table = fresh("confusion-table", "pairs");
      const top = table.createTHead().insertRow();
      for (const text of ["truth", "predicted", "examples"]) head(top, text, "col");
      const body = table.createTBody();
      for (const [truth, said, count] of largest) {
        const row = body.insertRow();
        head(row, task.classes[truth], "row");
        row.insertCell().append(document.createElement("bdi"));
        row.cells[1].firstChild.textContent = task.classes[said];
        number(row, shown(count));
      }
    };

    const show = () => {
      const one = chosen();
      const task = data.tasks[one.task];
      const models = MODELS.map(([role, term]) => [role, term, data.models[one[role]]]).filter(([, , model]) => model);
      const missing = MODELS.filter(([role]) => !data.models[one[role]]).map(([, term]) => term);
      const seeds = one.seeds === 1 ? "of one seed" : `means over ${one.seeds} seeds`;
      part("classes-macro").textContent = `Macro F1: ${models.map(([, term, model]) => `${term} ${model.macro_f1}`).join(", ")}.`;
      showClasses(task, models);
      const fewer = task.shown.length < task.classes.length
        ? ` The ${task.shown.length.toLocaleString("en")} classes with the most test examples, of ${task.classes.length.toLocaleString("en")}.` : "";
      const left = missing.length ? ` There is no ${missing.join(" and no ")} that answers every test example.` : "";
      part("classes-note").textContent = `All numbers are ${seeds}; n: test examples of the class; – where there is none: a class that no test ` +
        `example has, or that is never predicted. Precision is over the seeds that predict the class; macro F1 over the classes that occur.${fewer}${left}`;
      const { matrix, largest } = one.confused;
      const mean = one.seeds === 1 ? "" : `, mean over ${one.seeds} seeds`;
      part("confusion-title").textContent = matrix ? `The student's predictions by true class${mean}` : `The student's largest confusions${mean}`;
      part("confusion-note").textContent = matrix ? "Rows are the truth, columns what the student predicts; shaded by the share of the row." :
        largest.length ? "Test examples of the true class that the student takes for the other." : "The student makes no mistake.";
      if (matrix) showMatrix(task, matrix); else showLargest(task, largest);
    };
    select.addEventListener("change", show);
    part("by-class").addEventListener("submit", (event) => event.preventDefault());
    show();
    this.restore = show;
  },
};
