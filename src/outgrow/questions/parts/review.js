"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { items, classes } = data;
  const at = name => document.getElementById(name);
  const shelf = "outgrow-review-" + data.key;
  let place = 0;
  let decided = {};
  try {
    decided = JSON.parse(localStorage.getItem(shelf)) || {};
  } catch {
    decided = {};
  }
  const keep = () => {
    try {
      localStorage.setItem(shelf, JSON.stringify(decided));
    } catch { /* a browser that keeps nothing: export before leaving */ }
  };
  const buttons = classes.map((name, number) => {
    const button = document.createElement("button");
    button.type = "button";
    if (number < 9) {
      const key = document.createElement("kbd");
      key.textContent = String(number + 1);
      button.append(key, " ");
    }
    const spelled = document.createElement("bdi");
    spelled.textContent = name;
    button.append(spelled);
    button.addEventListener("click", () => decide(name));
    at("classes").append(button);
    return button;
  });
  const draw = () => {
    const done = Object.keys(decided).length;
    at("progress").textContent = `${data.name}: ${done} of ${items.length} decided`;
    if (!items.length) return;
    const [text, source, label, suggested, wrong, findings] = items[place];
    at("place").textContent = `${place + 1} of ${items.length}`;
    at("text").textContent = text;
    at("source").textContent = `${source}:`;
    at("label").textContent = label;
    at("doubt").textContent = (wrong === null ? "" : `wrong with ${Math.round(100 * wrong)}%`) + (suggested ? `; suggested: ${suggested}` : "");
    at("findings").replaceChildren(...findings.map(one => {
      const line = document.createElement("li");
      line.textContent = one;
      return line;
    }));
    const choice = decided[place];
    at("decision").textContent = choice === undefined ? "" : choice === null ? "decided: unsure" : choice === label ? "decided: right" : `decided: ${choice}`;
    at("decision").className = choice === undefined || choice === null ? "" : choice === label ? "right" : "wrong";
    buttons.forEach((button, number) => button.setAttribute("aria-pressed", String(choice === classes[number])));
  };
  const go = step => {
    place = Math.max(0, Math.min(items.length - 1, place + step));
    draw();
  };
  const decide = choice => {
    if (!items.length) return;
    decided[place] = choice;
    keep();
    go(1);
  };
  const right = () => {
    if (items.length && classes.includes(items[place][2])) decide(items[place][2]);
  };
  const wrong = () => {
    if (!items.length) return;
    const others = classes.filter(name => name !== items[place][2]);
    const instead = classes.includes(items[place][3]) ? items[place][3] : others.length === 1 ? others[0] : undefined;
    if (instead !== undefined) decide(instead);
  };
  const clear = () => {
    delete decided[place];
    keep();
    draw();
  };
  const undecided = () => {
    const next = items.findIndex((_, number) => number > place && decided[number] === undefined);
    if (next >= 0) go(next - place);
  };
  const number = /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?$/;
  const cell = value => {
    const plain = /^ *[=+\-@\t\r]/.test(value) && !number.test(value.trim()) ? "'" + value : value;
    return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  const save = () => {
    const rows = [[data.column, "label", "source", "was"]];
    for (const [at, choice] of Object.entries(decided)) {
      const [text, source, label] = items[at];
      rows.push([text, choice === null ? "" : choice, source, label]);
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([rows.map(row => row.map(cell).join(",") + "\n").join("")], { type: "text/csv" }));
    link.download = "reviewed.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const keys = {
    r: right, w: wrong, u: () => decide(null), c: clear, n: undecided, e: save,
    j: () => go(1), ArrowRight: () => go(1), k: () => go(-1), ArrowLeft: () => go(-1),
  };
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const class_ = classes[Number(event.key) - 1];
    const act = keys[event.key] || (/^[1-9]$/.test(event.key) && class_ !== undefined ? () => decide(class_) : undefined);
    if (act) {
      event.preventDefault();
      act();
    }
  });
  for (const [name, act] of [["right", right], ["unsure", () => decide(null)], ["clear", clear], ["previous", () => go(-1)], ["next", () => go(1)], ["export", save]]) {
    at(name).addEventListener("click", act);
  }
  draw();
  document.documentElement.dataset.drawn = "";
})();
