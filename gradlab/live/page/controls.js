// Native controls: sliders, choices, switches, buttons. Takes `plain` from numbers.js.
//
// A control is { element, show(value), tag } and, for a slider, mark(wrong); it sends what the hand sets to the kernel
// and shows what the kernel answers. Its spec is made by fields.py.

let serial = 0; // for ids that bind labels to inputs

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const named = spec => [make("span", { class: "gl-word" }, spec.label), " ", make("code", {}, spec.field)];

function resetTag() {
  return make("span", { class: "gl-later", hidden: true }, "applies after Reset");
}

// A slider over the positions of spec.ticks, with a box for exact values and, if the value may be None, a switch.
function slider(spec, send) {
  const id = `gl-${++serial}`, words = `${spec.label} ${spec.field}`;
  const range = make("input", { type: "range", id, min: 0, max: spec.ticks.length - 1, step: 1,
    "data-field": spec.field });
  const box = make("input", { type: "number", step: "any", "aria-label": `${words}, exact value`,
    "data-exact": spec.field });
  const on = !spec.off ? null : make("input", { type: "checkbox", "aria-label": `clip gradients at ${words}`,
    "data-switch": spec.field });
  const tag = resetTag();
  let value = null, kept = spec.ticks[spec.ticks.length >> 1], queued = false;

  function show(next) {
    value = next;
    if (next !== null) {
      kept = next;
      const far = spec.ticks.map(tick => Math.abs(Math.log((tick || 1e-9) / (next || 1e-9)))); // 0 is as good as tiny
      range.value = far.indexOf(Math.min(...far));
    }
    if (document.activeElement !== box || next === null) box.value = next === null ? "" : plain(next);
    box.placeholder = next === null ? "off" : "";
    range.setAttribute("aria-valuetext", next === null ? "off" : plain(next));
    range.disabled = box.disabled = next === null;
    if (on) on.checked = next !== null;
  }

  range.addEventListener("input", () => {
    show(spec.ticks[+range.value]);
    box.value = plain(value);
    if (queued) return; // a drag makes more events than frames; the last value of a frame counts
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      send("set", { field: spec.field, value });
    });
  });
  box.addEventListener("change", () => {
    const typed = box.value.trim() === "" ? NaN : Number(box.value);
    send("set", { field: spec.field, value: Number.isNaN(typed) ? "" : typed });
  });
  on?.addEventListener("change", () => {
    show(on.checked ? kept : null);
    send("set", { field: spec.field, value });
  });
  const element = make("div", { class: "gl-slider" },
    make("label", { for: id }, ...named(spec)), tag,
    on ? make("label", { class: "gl-switch" }, on, "clip") : "", box, range);
  return { element, show, tag, mark: wrong => box.toggleAttribute("aria-invalid", wrong) };
}

function select(spec, send) {
  const id = `gl-${++serial}`, tag = resetTag();
  const input = make("select", { id, "data-field": spec.field,
    onchange: () => send("set", { field: spec.field, value: spec.options[input.selectedIndex] }) },
  ...spec.options.map(option => make("option", {}, String(option))));
  return { element: make("div", { class: "gl-choice" }, make("label", { for: id }, ...named(spec)), input, tag), tag,
    show: value => { input.selectedIndex = spec.options.indexOf(value); } };
}

function check(spec, send) {
  const tag = resetTag();
  const input = make("input", { type: "checkbox", "data-field": spec.field,
    onchange: () => send("set", { field: spec.field, value: input.checked }) });
  return { element: make("div", { class: "gl-choice" }, make("label", {}, input, ...named(spec)), tag), tag,
    show: value => { input.checked = value; } };
}

const ICONS = {
  start: "M4 2.5v11l9-5.5z", pause: "M4 3h3v10H4zM9 3h3v10H9z", step: "M3 3v10l6.5-5zM10.5 3H13v10h-2.5z",
  reset: "M8 3V.8L4.4 4 8 7.2V5a4 4 0 1 1-4 4H2.2A5.8 5.8 0 1 0 8 3z",
  pin: "M9.8 1.5 14.5 6.2 13 6.8l-2.2 2.2.2 2.6-1.1 1.1-2.8-2.8L3 14l-1-1 4.1-4.1L3.3 6.1 4.4 5l2.6.2L9.2 3z",
};

// aria-disabled and not disabled: a button that the keyboard stands on must not lose the focus when it is pressed.
function button(kind, label, title, press) {
  const svg = ICONS[kind] ? `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[kind]}"/></svg>` : "";
  const element = make("button", { type: "button", class: `gl-button gl-${kind}`, title,
    onclick: () => { if (element.getAttribute("aria-disabled") !== "true") press(); } });
  element.innerHTML = svg;
  element.append(make("span", {}, label));
  return element;
}
