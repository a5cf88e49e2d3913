"use strict";
// What belongs to the whole page: the theme, copying, and following a run that goes on.
function startPage() {
  const data = JSON.parse(document.getElementById("data").textContent);
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.closest(".yaml").querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {  // not allowed here: select it, so that one key copies it
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
  return Promise.all(Object.entries(sections).map(([name, section]) => section.start?.(data[name])));
}

{
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const say = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`); };
  try { const kept = localStorage.getItem("outgrow-theme"); if (kept === "dark" || kept === "light") root.dataset.theme = kept; } catch { /* no storage */ }
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("outgrow-theme", root.dataset.theme); } catch { /* no storage */ }
    say();
  });
  system.addEventListener("change", say);
  say();
}

// While a run goes on, the same address answers with the page as it is now, or with "unchanged".
async function follow() {
  let mark = null;
  for (let failures = 0; document.documentElement.hasAttribute("data-live");) {
    await new Promise((done) => setTimeout(done, 2000));
    let answer;
    try {
      answer = await fetch(location.pathname, { headers: mark ? { "If-None-Match": mark } : {}, cache: "no-store" });
      failures = 0;
    } catch {
      if (++failures < 3) continue;
      document.documentElement.removeAttribute("data-live");
      const state = document.querySelector(".live");
      if (state) state.textContent = "The run has ended or was stopped; this is how far the page followed it.";
      return;
    }
    if (answer.status !== 200) continue;
    mark = answer.headers.get("ETag");
    await replaceContent(new DOMParser().parseFromString(await answer.text(), "text/html"));
  }
}

async function replaceContent(fresh) {
  const fields = [...document.querySelectorAll("main select[id], main input[id]")].map((field) => [field.id, field.value]);
  const open = [...document.querySelectorAll("main details[open][id]")].map((one) => one.id);
  const states = Object.entries(sections).map(([name, section]) => [name, section.state?.()]);
  const focused = document.activeElement?.id;
  document.getElementById("content").replaceChildren(...fresh.getElementById("content").childNodes);
  document.title = fresh.title;
  document.querySelector(".top nav").replaceChildren(...fresh.querySelector(".top nav").childNodes);
  if (!fresh.documentElement.hasAttribute("data-live")) document.documentElement.removeAttribute("data-live");
  const drawn = startPage();
  for (const [id, value] of fields) {
    const field = document.getElementById(id);
    if (!field || (field.options && ![...field.options].some((option) => option.value === value))) continue;
    field.value = value;
    if (field.classList.contains("panel")) field.dispatchEvent(new Event("change"));
  }
  for (const [name, state] of states) sections[name].restore?.(state);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  await drawn;
}

startPage().then(() => { document.documentElement.dataset.drawn = ""; });
if (document.documentElement.hasAttribute("data-live")) follow();
