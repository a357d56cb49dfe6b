// Saves keystrokes and reloads. Everything works without it.
"use strict";
(() => {
  const rows = () => [...document.querySelectorAll("table.walk tbody tr")].filter((row) => row.querySelector("a"));
  const typing = (target) => target.closest("input,textarea,select,button,summary") !== null;
  let going = 0;

  function move(by) {
    const all = rows();
    if (all.length === 0) return;
    const at = all.findIndex((row) => row.classList.contains("at"));
    if (at >= 0) all[at].classList.remove("at");
    const next = all[Math.min(Math.max(at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by, 0), all.length - 1)];
    next.classList.add("at");
    const link = next.querySelector("a");
    link.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (typing(event.target)) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") { document.getElementById("find").focus(); event.preventDefault(); }
    else if (event.key === "g") { going = Date.now(); return; }
    else if (Date.now() - going < 1500) {
      const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) link.click();
    }
    going = 0;
  });

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch("/figures", { headers: { accept: "application/json" } });
      if (!answer.ok || answer.redirected) return;
      const figures = await answer.json();
      for (const place of document.querySelectorAll("[data-figure]")) {
        const value = figures[place.dataset.figure];
        if (typeof value === "number") place.textContent = Math.round(value).toLocaleString("en-US");
      }
    } catch { /* the next try may do */ }
  }
  if (document.querySelector("[data-figures]")) setInterval(refresh, 5000);
})();
