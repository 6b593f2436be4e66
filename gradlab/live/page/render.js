// One view of a panel: what the kernel says becomes picture and words. Takes all of the files before it.
//
// The kernel holds the truth; new steps arrive as rows of float32. Messages of several kernel threads may overtake one
// another, so states carry a version and rows carry their place in the run.

export default {
  render({ model, el }) {
    const spec = model.get("spec");
    let run = new Run(), runNumber = -1, pins = [], version = -1, pinsVersion = -1, status = "idle", text = "idle";

    const kernel = new Kernel(model, count => {
      root.dataset.waiting = count;
      if (!count) silent.hidden = true;
    }, () => { silent.hidden = false; });
    const send = (kind, extra) => kernel.send(kind, extra);
    const { root, controls, buttons, dot, shown, spoken, silent, error, note, chips, canvas, share, paste, rows } =
      layout(spec, send, () => { tabulated = 0; redraw(); });
    el.append(root);
    const picture = new Picture(canvas, root, spec.colours);

    // Drawing: once a frame of the screen at most, twice a second for those who asked for less motion.

    const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    let queued = false, drawn = 0, described = 0, tabulated = 0, timer = 0;
    function redraw() {
      if (queued) return;
      queued = true;
      const wait = calm.matches ? Math.max(0, drawn + 500 - performance.now()) : 0;
      if (wait) timer = setTimeout(() => requestAnimationFrame(draw), wait);
      else requestAnimationFrame(draw);
    }
    function draw(now) {
      queued = false;
      drawn = now;
      picture.draw(run, pins, spec);
      shown.textContent = text;
      const last = run.length - 1;
      Object.assign(root.dataset, { status, points: run.length, frames: picture.drawn, pins: pins.length,
        lastLr: last < 0 ? "" : plain(run.lr[last]), lastMaxNorm: last < 0 ? "" : limit(run, last) });
      if (now - described > 1000 || status !== "running") {
        described = now;
        canvas.setAttribute("aria-label", sentence(run, pins, text));
      }
      if (!rows.hidden && (now - tabulated > 500 || status !== "running")) {
        tabulated = now;
        rows.replaceChildren(table(run));
      }
    }

    // Messages

    function follow(message) {
      if (message.version <= version) return false;
      version = message.version;
      if (message.run !== runNumber) {
        runNumber = message.run;
        run = new Run();
      }
      if (message.status !== status || text === "idle") {
        const words = { running: "running" }[message.status] ?? message.text;
        if (words !== spoken.textContent) spoken.textContent = words;
      }
      ({ status, text } = message);
      if (status === "failed") complain(text);
      root.dataset.workers = message.workers;
      root.dataset.run = message.run;
      dot.dataset.status = status;
      const disable = (name, off) => buttons[name].setAttribute("aria-disabled", String(off));
      disable("start", status === "running");
      disable("pause", status !== "running");
      disable("step", status === "running");
      return true;
    }
    function complain(words) {
      error.textContent = words;
      error.hidden = !words;
    }
    function point(pin) {
      picture.emphasis = pin;
      redraw();
    }

    const hear = {
      state(message) {
        const mine = kernel.answered(message.ack);
        const newest = follow(message);
        if (mine) {
          complain(message.error || (status === "failed" ? text : ""));
          paste.toggleAttribute("aria-invalid", mine.kind === "load" && Boolean(message.error));
          controls.get(mine.field)?.mark?.(Boolean(message.error));
        }
        if (!newest && !mine) return;
        for (const [field, value] of Object.entries(message.values))
          if (!kernel.outdated(field, message.ack)) controls.get(field).show(value);
        share.value = message.share;
        for (const [field, control] of controls) control.tag.hidden = !message.pending.includes(field);
        buttons.reset.classList.toggle("gl-wanted", message.pending.length > 0);
        const unseen = message.pending.filter(field => !controls.has(field)); // of a loaded share string
        const later = unseen.length ? `Applies after Reset: ${unseen.join(", ")}.` : "";
        const sentences = [message.note, later].filter(Boolean);
        if (mine || unseen.length) {
          note.textContent = sentences.join(" ");
          note.hidden = !sentences.length;
        }
      },
      rows(message, buffers) {
        follow(message);
        if (message.run !== runNumber) return; // of a run that is over
        if (!run.put(message.start, floats(buffers[0]))) send("hello");
        run.diverged = status === "diverged" && run.length ? run.step[run.length - 1] : null;
      },
      pins(message, buffers) {
        if (message.version <= pinsVersion) return;
        pinsVersion = message.version;
        pins = message.pins.map((pin, i) => {
          const kept = new Run();
          kept.put(0, floats(buffers[i]));
          return Object.assign(kept, pin, { number: i + 1, tint: spec.tints[i % spec.tints.length] });
        });
        const focused = chips.contains(document.activeElement);
        chips.hidden = !pins.length;
        chips.replaceChildren(
          ...pins.map(pin => chip(pin, point, () => { picture.emphasis = null; send("unpin", { pin: pin.id }); })),
          ...(pins.length ? [button("clear", "Clear pins", "Remove all pinned runs", () => send("clear"))] : []));
        if (focused) buttons.pin.focus();
      },
    };
    const listen = (message, buffers) => {
      hear[message.kind]?.(message, buffers);
      redraw();
    };
    model.on("msg:custom", listen);

    // The pointer, the theme, the width, the keyboard

    canvas.addEventListener("pointermove", event => {
      const box = canvas.getBoundingClientRect();
      const step = picture.stepAt(event.clientX - box.left, event.clientY - box.top);
      picture.hover = step === null || !run.length ? null : run.step[run.at(step)];
      redraw();
    });
    canvas.addEventListener("pointerleave", () => { picture.hover = null; redraw(); });

    const retheme = () => { // a theme's style sheet may arrive after the attribute that announces it
      for (const wait of [0, 150, 600]) setTimeout(() => { picture.sheet.readTheme(); redraw(); }, wait);
    };
    const themes = new MutationObserver(retheme);
    themes.observe(document.body, { attributes: true,
      attributeFilter: ["data-jp-theme-name", "data-jp-theme-light", "class"] });
    const night = window.matchMedia("(prefers-color-scheme: dark)");
    night.addEventListener("change", retheme);

    const sizes = new ResizeObserver(() => {
      const width = canvas.clientWidth;
      if (!width) return;
      root.dataset.narrow = String(width < 620);
      picture.sheet.fit(width);
      redraw();
    });
    sizes.observe(root);

    // JupyterLab listens at the document, before the panel: in its command mode it would take arrow keys and letters
    // for itself. Keys with Ctrl or Cmd (save, copy) go on to it.
    const keys = event => {
      if (root.contains(event.target) && !event.ctrlKey && !event.metaKey) event.stopPropagation();
    };
    window.addEventListener("keydown", keys, true);

    send("hello");
    retheme();
    return () => {
      model.off("msg:custom", listen);
      window.removeEventListener("keydown", keys, true);
      night.removeEventListener("change", retheme);
      themes.disconnect();
      sizes.disconnect();
      clearTimeout(timer);
      kernel.close();
    };
  },
};
