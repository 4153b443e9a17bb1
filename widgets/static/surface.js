// Shows the trait `html` by changing only what differs, so that focus, selection, open details and CSS
// transitions survive an update; reports clicks on [data-action] to the kernel.

function sameNode(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName &&
    (a.nodeType !== Node.ELEMENT_NODE || (a.dataset?.key ?? "") === (b.dataset?.key ?? ""));
}

function syncAttributes(from, to) {
  for (const { name } of [...from.attributes]) {
    // An open <details> belongs to the reader.
    if (!to.hasAttribute(name) && !(name === "open" && from.nodeName === "DETAILS")) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
}

function keyed(parent) {
  const nodes = new Map();
  for (const node of parent.children) if (node.dataset?.key) nodes.set(node.dataset.key, node);
  return nodes;
}

export function morph(from, to) {
  const known = keyed(from);
  let current = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = wanted.dataset?.key;
    const match = key ? known.get(key) : current;
    if (match && sameNode(match, wanted)) {
      if (match === current) current = current.nextSibling;
      else from.insertBefore(match, current);
      if (match.nodeType === Node.ELEMENT_NODE) {
        syncAttributes(match, wanted);
        morph(match, wanted);
      } else if (match.nodeValue !== wanted.nodeValue) {
        match.nodeValue = wanted.nodeValue;
      }
    } else {
      from.insertBefore(wanted, current);
    }
  }
  while (current) {
    const next = current.nextSibling;
    current.remove();
    current = next;
  }
}

function focusedKey(el) {
  const focused = document.activeElement;
  return el.contains(focused) ? focused.closest("[data-key]")?.dataset.key : undefined;
}

function reveal(card) {
  if (!card || card.getBoundingClientRect().top >= 0) return;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  card.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
}

function render({ model, el }) {
  el.classList.add("hlp-surface");
  const draw = () => {
    const template = document.createElement("template");
    template.innerHTML = model.get("html");
    const focused = el.contains(document.activeElement);
    const key = focusedKey(el);
    morph(el, template.content);
    // A row that moves takes the focus away from its button, and a button that goes leaves none.
    if (focused && !el.contains(document.activeElement)) {
      const button = key && el.querySelector(`[data-key="${CSS.escape(key)}"] button`);
      (button || el.querySelector("[tabindex='-1']"))?.focus({ preventScroll: true });
    }
  };
  const click = (event) => {
    const target = event.target.closest("[data-action]");
    if (!target) return;
    model.send({ action: target.dataset.action, value: target.dataset.value ?? "" });
    reveal(el.closest(".hlp-page")?.querySelector(".hlp-card"));
  };
  model.on("change:html", draw);
  el.addEventListener("click", click);
  draw();
  return () => {
    model.off("change:html", draw);
    el.removeEventListener("click", click);
  };
}

export default { render };
