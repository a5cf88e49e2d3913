"use strict";
// What every section's script may use. Each one adds itself: sections.<name> = { start(data), state(), restore(state) }.
const sections = {};

const numberOrNothing = (text) => (text ? Number(text) : null);

// Numbers in full, nothing as nothing; a text that a spreadsheet would take for a formula starts with an apostrophe.
function csv(rows) {
  const one = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(one).join(",")).join("\n") + "\n";
}

// What `packed` of markup.py wrote.
function unpacked(text) {
  const width = Number(text[0]);
  return Array.from({ length: (text.length - 1) / width }, (_, at) => parseInt(text.slice(1 + at * width, 1 + (at + 1) * width), 36) - 1);
}

function save(name, type, content) {
  const link = document.createElement("a");
  link.href = content.startsWith("data:") ? content : URL.createObjectURL(new Blob([content], { type: `${type};charset=utf-8` }));
  link.download = name;
  link.click();
  if (!content.startsWith("data:")) setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The cells of a section as the options of a list: each by the names that tell it from the others, or by its models.
function offerCells(select, cells) {
  const vary = [0, 1, 2, 3, 4, 5].filter((place) => new Set(cells.map((one) => one.names[place])).size > 1);
  const label = (one) => (vary.length ? vary : [3, 4, 5]).map((place) => one.names[place]).join(" · ");
  select.replaceChildren(...cells.map((one) => new Option(label(one), one.names.join("\n"))));
  return () => cells.find((one) => one.names.join("\n") === select.value);
}
