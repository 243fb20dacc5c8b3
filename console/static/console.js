// Refreshes the parts of the page that are marked data-live every two seconds. Without it the page works, unrefreshed.
"use strict";
(() => {
  const SECONDS = 2;
  const parts = () => document.querySelectorAll("[data-live][id]");
  if (!parts().length) return;
  const freshness = document.getElementById("freshness");
  const pause = document.getElementById("pause");
  let paused = false;

  // Parts that are unchanged stay in place, so that a hover, a focus or an open note survives.
  function renew(old, fresh) {
    const before = [...old.children];
    const after = [...fresh.children].map((wanted, index) => {
      const known = wanted.id ? before.find((each) => each.id === wanted.id) : before[index];
      return known && isSame(known, wanted) ? known : wanted;
    });
    before.filter((each) => !after.includes(each)).forEach((each) => each.remove());
    after.forEach((each, index) => {
      if (old.children[index] === each) return;
      const isNew = !before.includes(each);
      old.insertBefore(each, old.children[index] ?? null);
      if (isNew && each.tagName === "TR") flash(each);
    });
  }

  function isSame(one, other) {
    if (one.isEqualNode(other)) return true;
    const details = one.querySelector("details[open]");
    if (!details) return false;
    // Somebody is about to act on it: its ages may wait, another matter may not.
    if (one.dataset.facts !== undefined && one.dataset.facts === other.dataset.facts) return true;
    const closed = one.cloneNode(true);
    closed.querySelectorAll("details[open]").forEach((each) => each.removeAttribute("open"));
    return closed.isEqualNode(other);
  }

  function flash(row) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    row.animate([{ backgroundColor: "rgb(37 99 235 / 0.18)" }, {}], 1500);
  }

  async function refresh() {
    if (paused || document.hidden || !getSelection().isCollapsed) return;
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(8000) });
      if (answer.redirected) return location.reload(); // the session has ended
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (paused || !getSelection().isCollapsed) return;
      for (const part of parts()) {
        const fresh = page.getElementById(part.id);
        if (fresh) renew(part, fresh);
      }
      say("");
    } catch {
      say("not up to date: the server does not answer");
    }
  }

  function say(trouble) {
    document.body.classList.toggle("stale", trouble !== "");
    const text = trouble || (paused ? "paused" : "live");
    if (freshness && freshness.textContent !== text) freshness.textContent = text;
  }

  async function forever() {
    await refresh();
    setTimeout(forever, SECONDS * 1000);
  }

  if (pause) {
    document.getElementById("refresh").hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", paused);
      pause.textContent = paused ? "Resume" : "Pause";
      say("");
      refresh();
    });
  }
  document.addEventListener("visibilitychange", refresh);
  say("");
  setTimeout(forever, SECONDS * 1000);
})();
