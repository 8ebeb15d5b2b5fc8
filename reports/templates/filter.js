"use strict";
(() => {
  const tools = document.querySelector(".tools");
  const rows = [...document.querySelectorAll("[data-standing]")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const search = tools.querySelector("input");
  const buttons = [...tools.querySelectorAll("button[data-show]")];
  const blocks = [...document.querySelectorAll("[data-block]")];
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = buttons.filter((b) => b.ariaPressed === "true").map((b) => b.dataset.show);
    let shown = 0;
    rows.forEach((row, i) => {
      const keep = (!chosen.length || chosen.includes(row.dataset.standing)) &&
        words.every((word) => texts[i].includes(word));
      row.toggleAttribute("data-hidden", !keep);
      shown += keep ? 1 : 0;
    });
    const narrowed = words.length > 0 || chosen.length > 0;
    blocks.forEach((block) => block.toggleAttribute("data-hidden",
      narrowed && !block.querySelector("[data-standing]:not([data-hidden])")));
    tools.querySelector("output").textContent = narrowed ? `${shown} of ${rows.length} rows` : "";
  };
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) { target.open = true; target.scrollIntoView(); }
  };
  buttons.forEach((button) => button.addEventListener("click", () => {
    button.ariaPressed = String(button.ariaPressed !== "true");
    apply();
  }));
  search.addEventListener("input", apply);
  addEventListener("hashchange", reveal);
  tools.hidden = false;
  reveal();
})();
