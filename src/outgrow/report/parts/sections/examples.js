"use strict";
// Examples to browse. Every text of the data goes into the page as text, never as markup.
sections.examples = {
  start(data) {
    const list = document.getElementById("example-list");
    if (!list || !data) return;
    for (const one of [...data.answers, ...data.cells.map((cell) => cell.times)]) {
      for (const [name, text] of Object.entries(one)) one[name] = text === null ? null : unpacked(text);
    }
    const [cell, kind, text, more] = ["cell", "kind", "text", "more"].map((name) => document.getElementById(`example-${name}`));
    const count = document.getElementById("example-count");
    const STEP = 20;
    let shown = STEP;

    const chosen = offerCells(cell, data.cells);
    const numbers = (value) => value.toLocaleString("en");
    const shares = (count, all) => `${numbers(count)} (${(100 * count / all).toFixed(1)}%)`;
    const modelsOf = (one) => ["weak", "student", "ceiling"].map((role) => (one[role] === null ? null : data.answers[one[role]]));

    // At how many seeds a row has each outcome: from how often each model is right, and both at once.
    const timesOf = (one, row) => {
      const [weak, student] = modelsOf(one);
      const both = one.times.both[row];
      const wrong = one.seeds - weak.right[row] - student.right[row] + both;
      const copied = one.times.copied ? one.times.copied[row] : wrong;
      return { corrected: student.right[row] - both, spoiled: weak.right[row] - both, copied, other: wrong - copied, both };
    };
    const kinds = () => {
      const kept = kind.value;
      const { counts, times, task } = chosen();
      const two = data.tasks[task].classes.length === 2;
      const all = Object.entries(data.outcomes).filter(([name]) => counts[name] > 0)
        .map(([name, words]) => new Option(`${two ? words.replace(/, with.*/, "") : words} (${numbers(counts[name])})`, name));
      kind.replaceChildren(new Option("all", ""), ...all);
      kind.value = [...kind.options].some((option) => option.value === kept) ? kept : "";
      kind.disabled = !times.both;
    };
    const outcomes = (one, task) => {
      const table = document.getElementById("example-outcomes");
      table.replaceChildren();
      table.hidden = !one.times.both;
      if (table.hidden) return;
      const { both, corrected, spoiled, copied, other } = one.counts;
      const all = one.seeds * task.total;
      const line = (kind, texts, parent) => {
        const row = parent.insertRow();
        texts.forEach((text, place) => {
          const cell = document.createElement(kind === "th" || place === 0 ? "th" : "td");
          if (cell.tagName === "TH") cell.scope = kind === "th" ? "col" : "row";
          cell.textContent = text;
          row.append(cell);
        });
      };
      table.createCaption().textContent = one.seeds === 1 ? `Of ${numbers(all)} test examples, seed ${one.seed}`
        : `Of ${numbers(all)} predictions: ${one.seeds} seeds, ${numbers(task.total)} test examples each`;
      const same = task.classes.length > 2 ? `, ${numbers(copied)} with the same class` : "";
      line("th", ["supervisor", "student right", "student wrong"], table.createTHead());
      const body = table.createTBody();
      line("td", ["right", shares(both, all), shares(spoiled, all)], body);
      line("td", ["wrong", shares(corrected, all), shares(copied + other, all) + same], body);
    };

    // An input is a text, or {text, image, parts: [{name, text}, …]} with the parts side by side.
    const wordsOf = (input) => (typeof input === "string" ? [input]
      : [input.text || "", ...(input.parts || []).map((part) => part.text)]).join("\n").toLowerCase();
    const paragraph = (text, name) => {
      const words = document.createElement("p");
      words.className = name;
      words.dir = "auto";
      words.textContent = text;
      return words;
    };
    // A long conversation folds; its end, which is answered, stays in view.
    const context = (text) => {
      if (text.length < 600) return paragraph(text, "example-text");
      const folded = document.createElement("details");
      const summary = document.createElement("summary");
      summary.append(paragraph(`… ${text.slice(-300)}`, "example-text"));
      folded.append(summary, paragraph(text, "example-text"));
      return folded;
    };
    const picture = (input) => {
      if (typeof input.image !== "string" || !/^data:image\/(jpeg|png);base64,/.test(input.image)) return [];
      const shown = document.createElement("img");
      shown.className = "example-picture";
      shown.src = input.image;
      shown.alt = input.text || "input";
      return [shown];
    };
    const inputOf = (input, picks) => {
      if (typeof input === "string") return [paragraph(input, "example-text")];
      if (!(input.parts || []).length) return [...picture(input), ...(input.text ? [context(input.text)] : [])];
      const sides = document.createElement("div");
      sides.className = "example-parts";
      sides.append(...(input.parts || []).map((part) => {
        const side = document.createElement("div");
        side.append(paragraph([part.name, ...picks(part.name)].join(" · "), "part-name"), paragraph(part.text, "example-text"));
        return side;
      }));
      return [...picture(input), ...(input.text ? [context(input.text)] : []), sides];
    };
    const show = () => {
      const one = chosen();
      const task = data.tasks[one.task];
      const [weak, student, ceiling] = modelsOf(one);
      const wanted = text.value.trim().toLowerCase();
      const times = (row) => (kind.value ? timesOf(one, row)[kind.value] : 1);
      const fits = task.texts.map((_, row) => row).filter((row) => times(row) > 0 && wordsOf(task.texts[row]).includes(wanted));
      if (kind.value) fits.sort((a, b) => times(b) - times(a));
      outcomes(one, task);
      list.replaceChildren(...fits.slice(0, shown).map((row) => {
        const item = document.createElement("li");
        const answers = document.createElement("dl");
        answers.className = "answers";
        const truth = task.truth[row];
        const named = (number) => (number < 0 ? "unknown" : task.classes[number]);
        const add = (term, number, sure, right) => {
          const part = document.createElement("div");
          if (term !== "truth") part.className = number < 0 || truth < 0 ? "" : number === truth ? "right" : "wrong";
          const [head, said, name] = ["dt", "dd", "bdi"].map((tag) => document.createElement(tag));
          head.textContent = term;
          name.textContent = named(number);
          said.append(name);
          if (part.className) said.append(part.className === "right" ? " ✓" : " ✗");
          if (sure !== undefined && number >= 0) {
            const small = document.createElement("span");
            small.className = "sure";
            small.textContent = ` ${sure}%${one.seeds > 1 && right !== undefined ? `, right at ${right} of ${one.seeds} seeds` : ""}`;
            said.append(small);
          }
          part.append(head, said);
          answers.append(part);
        };
        add("truth", truth);
        if (kind.value && one.seeds > 1) {
          const part = answers.firstChild.cloneNode(true);
          part.firstChild.textContent = "this outcome";
          part.lastChild.textContent = `at ${times(row)} of ${one.seeds} seeds`;
          answers.prepend(part);
        }
        for (const [term, model] of [["supervisor", weak], ["student", student], ["ceiling", ceiling]]) {
          if (model) add(term, model.predicted[row], model.sure[row], model.right?.[row]);
        }
        // Where classes are places in the input, each part says who picks it.
        const picks = (name) => [["truth", truth], ...[["supervisor", weak], ["student", student], ["ceiling", ceiling]]
          .filter(([, model]) => model).map(([term, model]) => [term, model.predicted[row]])]
          .filter(([, number]) => number >= 0 && task.classes[number] === name).map(([term]) => term);
        const link = document.createElement("a");
        item.id = `example-${task.ids[row]}`;
        link.setAttribute("href", `#${item.id}`);
        link.textContent = "link";
        link.className = "example-link no-print";
        link.setAttribute("aria-label", `Link to example ${task.ids[row]}`);
        item.append(...inputOf(task.texts[row], picks), answers, link);
        return item;
      }));
      const holding = wanted ? " that hold the text" : "";
      const those = fits.length === 1 && !wanted ? "example" : "examples";
      const first = one.seeds > 1 ? ` Classes and percentages are those of seed ${one.seed}.` : "";
      count.textContent = kind.value
        ? `${numbers(one.counts[kind.value])} of ${numbers(one.seeds * task.total)} predictions have this outcome; here are the ${numbers(fits.length)} ${those} in ` +
          `this file${holding} that have it${one.seeds > 1 ? " at one seed or more, those at the most seeds first" : ""}.${first}`
        : `${numbers(fits.length)} ${those}${holding} of the ${numbers(task.total)} test examples${fits.length < task.total && !wanted ? " are in this file" : ""}.${first}`;
      more.hidden = fits.length <= shown;
    };
    const again = () => { shown = STEP; show(); };
    cell.addEventListener("change", () => { kinds(); again(); });
    kind.addEventListener("change", again);
    text.addEventListener("input", again);
    more.addEventListener("click", () => { shown += STEP; show(); });
    document.getElementById("browse").addEventListener("submit", (event) => event.preventDefault());
    kinds();
    show();
    // An address that ends in #example-<id> opens that example, of the cell in view where it has it.
    const follow = () => {
      const id = location.hash.replace("#example-", "");
      const holds = (one) => data.tasks[one.task].ids.indexOf(id) >= 0;
      if (!location.hash.startsWith("#example-") || !data.cells.some(holds)) return;
      const one = holds(chosen()) ? chosen() : data.cells.find(holds);
      cell.value = one.names.join("\n");
      kind.value = "";
      text.value = "";
      kinds();
      shown = Math.max(STEP, data.tasks[one.task].ids.indexOf(id) + 1);
      show();
      document.getElementById(`example-${id}`)?.scrollIntoView();
    };
    if (!this.followed) {
      this.followed = true;
      // Charts above grow while they are drawn: the example is looked for once they are.
      new MutationObserver((_, observer) => { observer.disconnect(); follow(); })
        .observe(document.documentElement, { attributes: true, attributeFilter: ["data-drawn"] });
    }
    onhashchange = follow;
    this.restore = () => { kinds(); show(); };
  },
};
