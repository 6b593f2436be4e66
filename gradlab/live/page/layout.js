// The panel's elements and where they stand. Takes the controls of controls.js, Run from data.js and
// `sentence` from words.js.

const SILENT = "The kernel does not answer. If a cell is running, wait for it; otherwise run this cell again.";

// send: what controls and buttons say to the kernel; toggled: called when the table has been shown or hidden.
// Gives the elements that render() changes, by name; `root` holds all of them.
function layout(spec, send, toggled) {
  const controls = new Map(spec.controls.map(each => [each.field, { slider, select, check }[each.kind](each, send)]));
  const ofKind = (...kinds) => spec.controls.filter(each => kinds.includes(each.kind))
    .map(each => controls.get(each.field).element);
  const choices = ofKind("select", "check");
  const buttons = {
    start: button("start", "Run", "Train until paused or finished", () => send("start")),
    pause: button("pause", "Pause", "Stop after the update in progress; Run goes on", () => send("pause")),
    step: button("step", "Step", "Make exactly one update", () => send("step")),
    reset: button("reset", "Reset", "Clear the run and take all settings as they stand", () => send("reset")),
    pin: button("pin", "Pin", "Keep this run as a ghost to compare with", () => send("pin")),
  };
  const dot = make("span", { class: "gl-dot", "aria-hidden": "true" });
  const shown = make("span", { class: "gl-text" }, "waiting for the kernel");
  const spoken = make("span", { class: "gl-hidden", role: "status", "aria-live": "polite" });
  const silent = make("p", { class: "gl-message gl-error", role: "alert", hidden: true }, SILENT);
  const error = make("p", { class: "gl-message gl-error", role: "alert", hidden: true });
  const note = make("p", { class: "gl-message", hidden: true });
  const chips = make("div", { class: "gl-chips", role: "group", "aria-label": "pinned runs", hidden: true });
  const canvas = make("canvas", { role: "img", "aria-label": sentence(new Run(), [], "idle") });
  const share = make("input", { type: "text", readonly: true, class: "gl-share", spellcheck: "false",
    "aria-label": "share string of these settings" });
  const load = () => { if (paste.value.trim()) send("load", { text: paste.value.trim() }); };
  const paste = make("input", { type: "text", class: "gl-paste", spellcheck: "false",
    placeholder: "paste a share string", "aria-label": "share string to load",
    onkeydown: event => { if (event.key === "Enter") load(); } });
  const rows = make("div", { class: "gl-table", hidden: true, tabindex: "0", role: "region",
    "aria-label": "data table" });
  const toggle = button("toggle", "Table", "The last 20 steps as a table", () => {
    rows.hidden = !rows.hidden;
    toggle.setAttribute("aria-expanded", String(!rows.hidden));
    toggled();
  });
  toggle.setAttribute("aria-expanded", "false");
  const copied = button("copy", "Copy", "Copy the share string", async () => {
    await copy(share);
    copied.lastChild.textContent = "Copied";
    spoken.textContent = "share string copied";
    setTimeout(() => { copied.lastChild.textContent = "Copy"; }, 1500);
  });
  const root = make("section", { class: "gradlab", "aria-label": spec.title },
    make("div", { class: "gl-sliders" }, ...ofKind("slider")),
    choices.length ? make("div", { class: "gl-choices" }, ...choices) : "",
    make("div", { class: "gl-bar" },
      make("div", { class: "gl-buttons", role: "group", "aria-label": "run" }, ...Object.values(buttons)),
      make("div", { class: "gl-status" }, dot, shown)),
    silent, error, note, chips, canvas, rows,
    make("div", { class: "gl-foot" },
      make("span", { class: "gl-word" }, "Share"), share, copied, paste,
      button("load", "Load", "Take all settings from the pasted string", load), toggle),
    spoken);
  return { root, controls, buttons, dot, shown, spoken, silent, error, note, chips, canvas, share, paste, rows };
}

async function copy(input) {
  try {
    await navigator.clipboard.writeText(input.value);
  } catch { // no clipboard on an insecure page
    input.select();
    document.execCommand("copy");
  }
}

// A pinned run's name and tint; point: called with its id while the pointer is on it, and with null after.
function chip(pin, point, remove) {
  return make("span", { class: "gl-chip", style: `--tint: ${pin.tint}`,
    onpointerenter: () => point(pin.id), onpointerleave: () => point(null) },
  make("b", {}, String(pin.number)), make("span", {}, pin.label),
  make("button", { type: "button", "aria-label": `Remove pinned run ${pin.number}, ${pin.label}`, title: "Remove",
    onclick: remove }, "×"));
}
