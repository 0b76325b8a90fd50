/* Keeps pages up to date: what the relay says on its live stream makes htmx load anew whatever listens for it.
   Without scripts pages are as they were loaded. */
(() => {
  "use strict";
  const PAUSE = 3000; // milliseconds between two reloads at least
  const opened = new Set();

  // What was unfolded stays so when a part is replaced.
  document.addEventListener("htmx:beforeSwap", (event) => {
    opened.clear();
    for (const each of event.target.querySelectorAll("details[id][open]")) opened.add(each.id);
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  });

  // On a phone the navigation is wider than the screen.
  document.querySelector(".pages [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

  if (!document.querySelector("[data-live]") || !window.EventSource) return;
  const word = document.getElementById("live-word");
  const LIVE = "· live";
  let source = null;
  let waiting = null;
  let last = 0;

  // Where the keyboard is, nothing is replaced: it would be lost.
  function busy() {
    const here = document.activeElement;
    return here !== null && [...document.querySelectorAll("[data-live]")].some((part) => part.contains(here));
  }
  function reload() {
    waiting = null;
    if (document.hidden) return;
    last = Date.now();
    if (busy()) {
      say("· waits while you are in it");
      changed();
      return;
    }
    say(source && source.readyState === EventSource.OPEN ? LIVE : "");
    document.body.dispatchEvent(new Event("relaychanged"));
  }
  function changed() {
    if (waiting === null) waiting = setTimeout(reload, Math.max(0, last + PAUSE - Date.now()));
  }
  function say(text) {
    if (word && word.textContent !== text) word.textContent = text;
  }
  function listen() {
    source = new EventSource("/api/v1/stream");
    source.addEventListener("open", () => say(LIVE));
    source.addEventListener("error", () => say("· not live: the relay cannot be reached"));
    source.addEventListener("event", changed);
    source.addEventListener("changed", changed);
  }

  // A browser has few connections to one host: a page that nobody looks at keeps none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (source === null) {
      listen();
      changed();
    }
  });
  if (!document.hidden) listen();
  // Ages and last looks move though nothing happens.
  setInterval(changed, 15000);
})();
