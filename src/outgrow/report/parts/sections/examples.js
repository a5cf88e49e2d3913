"use strict";
// Examples to browse. Every text of the data goes into the page as text, never as markup.
sections.examples = {
  start(data) {
    const list = document.getElementById("example-list");
    if (!list || !data) return;
    const [cell, kind, text, more] = ["cell", "kind", "text", "more"].map((name) => document.getElementById(`example-${name}`));
    const count = document.getElementById("example-count");
    const STEP = 20;
    let shown = STEP;

    const chosen = offerCells(cell, data.cells);
    const kindOf = (truth, weak, student) => {
      if (weak === null || student === null || weak < 0) return null;
      if (student === truth) return weak === truth ? "both" : "corrected";
      return weak === truth ? "spoiled" : weak === student ? "copied" : "other";
    };
    const kinds = () => {
      const kept = kind.value;
      const counts = chosen().counts;
      const all = Object.entries(data.kinds).filter(([name]) => counts[name] > 0)
        .map(([name, words]) => new Option(`student ${words}`.replace("student both", "both"), name));
      kind.replaceChildren(new Option("all", ""), ...all);
      kind.value = [...kind.options].some((option) => option.value === kept) ? kept : "";
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
      const [weak, student, ceiling] = ["weak", "student", "ceiling"].map((role) => (one[role] === null ? null : data.answers[one[role]]));
      const wanted = text.value.trim().toLowerCase();
      const fits = [];
      task.texts.forEach((input, row) => {
        const sort = kindOf(task.truth[row], weak && weak.said[row], student && student.said[row]);
        if ((!kind.value || sort === kind.value) && wordsOf(input).includes(wanted)) fits.push(row);
      });
      list.replaceChildren(...fits.slice(0, shown).map((row) => {
        const item = document.createElement("li");
        const answers = document.createElement("dl");
        answers.className = "answers";
        const truth = task.truth[row];
        const named = (number) => (number < 0 ? "unknown" : task.classes[number]);
        const add = (term, number, sure) => {
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
            small.textContent = ` ${sure}%`;
            said.append(small);
          }
          part.append(head, said);
          answers.append(part);
        };
        add("truth", truth);
        for (const [term, model] of [["supervisor", weak], ["student", student], ["ceiling", ceiling]]) {
          if (model) add(term, model.said[row], model.sure[row]);
        }
        // Where classes are places in the input, each part says who picks it.
        const picks = (name) => [["truth", truth], ...[["supervisor", weak], ["student", student], ["ceiling", ceiling]]
          .filter(([, model]) => model).map(([term, model]) => [term, model.said[row]])]
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
      const all = kind.value ? one.counts[kind.value] : task.total;
      const numbers = (value) => value.toLocaleString("en");
      const holding = wanted ? " that hold the text" : "";
      count.textContent = `${numbers(fits.length)} examples${holding} of the ${numbers(all)} ` +
        `${kind.value ? "of this kind among the test examples" : "test examples"}` +
        `${fits.length < all && !wanted ? " are in this file" : ""}; seed ${one.seed}.`;
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
