"use strict";
// The comparison: one reference is shown at a time.
sections.comparison = {
  start() {
    for (const article of document.querySelectorAll(".compared")) {
      const select = article.querySelector("select.against");
      select?.addEventListener("change", () => {
        for (const one of article.querySelectorAll("[data-reference]")) one.hidden = one.dataset.reference !== select.value;
      });
    }
  },
};
