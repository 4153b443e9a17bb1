// How old the newest quote is. The age counts here, on the browser's own clock, from the moment a message
// arrived plus the age it had when it was sent: a dead kernel, a dead socket or a sleeping laptop all age it.

const FRESH_SECONDS = 2;
const STALE_SECONDS = 10;
const LOST_SECONDS = 15;

const STATES = {
  waiting: { shape: "○", word: "Waiting", said: "Waiting for the first quote" },
  fresh: { shape: "●", word: "Fresh", said: "Data are fresh" },
  delayed: { shape: "◆", word: "Delayed", said: "Data are delayed" },
  stale: { shape: "■", word: "Stale", said: "Data are stale" },
};

export function stateOf(age) {
  if (age === null) return "waiting";
  if (age < FRESH_SECONDS) return "fresh";
  return age < STALE_SECONDS ? "delayed" : "stale";
}

export function ageText(seconds) {
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function lostAlert() {
  const alert = element("div", "hlp-lost");
  alert.setAttribute("role", "alert");
  alert.hidden = true;
  const reload = element("button", "hlp-reload", "Reload the page");
  reload.type = "button";
  reload.addEventListener("click", () => window.location.reload());
  return { alert, reload };
}

// bqplot gives its SVG neither role nor name.
function nameCharts(page) {
  const summary = page.querySelector(".hlp-spark-summary")?.textContent ?? "";
  for (const svg of page.querySelectorAll(".hlp-spark svg.bqplot, .hlp-spark .bqplot > svg")) {
    const name = `z of the last 15 minutes: ${summary}`;
    if (svg.getAttribute("aria-label") !== name) {
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", name);
    }
  }
}

function render({ model, el }) {
  el.classList.add("hlp-freshness");
  const chip = element("p", "hlp-chip");
  const shape = element("span", "hlp-chip-shape");
  shape.setAttribute("aria-hidden", "true");
  const word = element("b", "hlp-chip-word");
  const since = element("span", "hlp-chip-age");
  chip.append(shape, word, since);
  const said = element("span", "hlp-said");
  said.setAttribute("role", "status");
  said.setAttribute("aria-live", "polite");
  const { alert, reload } = lostAlert();
  el.append(chip, said, alert);

  let received = null;
  let beat = Date.now();
  let shown = "";
  const note = () => {
    const age = model.get("stamp").age;
    received = age === null || age === undefined ? null : { at: Date.now(), age };
    show();
  };
  const lives = () => {
    beat = Date.now();
    show();
  };
  const show = () => {
    const now = Date.now();
    const age = received && Math.max(0, now - received.at) / 1000 + received.age;
    const lost = now - beat > LOST_SECONDS * 1000;
    const state = stateOf(age);
    since.textContent = age === null ? "no quote yet" : `${ageText(age)} old`;
    const page = el.closest(".hlp-page");
    if (page) nameCharts(page);
    if (state !== shown) {
      shown = state;
      chip.dataset.state = state;
      shape.textContent = STATES[state].shape;
      word.textContent = STATES[state].word;
      said.textContent = STATES[state].said;
    }
    page?.classList.toggle("hlp-is-stale", state === "stale" || lost);
    if (alert.hidden === lost) {
      alert.hidden = !lost;
      alert.replaceChildren(...(lost ? [element("span", "", "■ This page has lost its connection: nothing on it moves any more."), reload] : []));
    }
  };
  const visibility = () => {
    model.set("visible", !document.hidden);
    model.save_changes();
  };
  model.on("change:stamp", note);
  model.on("change:beat", lives);
  document.addEventListener("visibilitychange", visibility);
  const timer = window.setInterval(show, 500);
  note();
  if (document.hidden) visibility();
  // What changed while this page was being built has not reached it.
  model.send({ action: "shown", value: "" });
  return () => {
    window.clearInterval(timer);
    document.removeEventListener("visibilitychange", visibility);
    model.off("change:stamp", note);
    model.off("change:beat", lives);
  };
}

export default { render };
