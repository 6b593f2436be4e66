// One view of a picture that is a function of controls. Takes numbers.js, controls.js, kernel.js and surroundings.js.
//
// One setting at a time is with the kernel. What the hand does meanwhile is kept, and only the newest of it is sent.

const SILENT = "The kernel does not answer. If a cell is running, wait for it; otherwise run this cell again.";

export default {
  render({ model, el }) {
    const spec = model.get("spec"), wanted = {};
    let ahead = false, address = null;
    const message = make("p", { class: "gl-message gl-error", role: "alert", hidden: true });
    const image = make("img", { class: "gl-slide-picture", alt: "" });
    const spoken = make("span", { class: "gl-hidden", role: "status", "aria-live": "polite" });
    const say = words => {
      message.textContent = words;
      message.hidden = !words;
    };
    const kernel = new Kernel(model, count => { root.dataset.waiting = count; }, () => say(SILENT));

    function move(_, { field, value }) {
      wanted[field] = value;
      ahead = kernel.waiting.size > 0;
      if (!ahead) kernel.send("set", { values: { ...wanted } });
    }
    const made = spec.controls.map(each => ({ slider, select, check })[each.kind](each, move));
    const sliders = made.filter((_, i) => spec.controls[i].kind === "slider").map(each => each.element);
    const choices = made.filter((_, i) => spec.controls[i].kind !== "slider").map(each => each.element);
    const root = make("div", { class: "gradlab gl-slide", "data-pictures": "0" },
      make("div", { class: "gl-sliders" }, ...sliders), make("div", { class: "gl-choices" }, ...choices),
      message, image, spoken);
    el.append(root);

    function listen(told, buffers) {
      if (told.kind !== "picture") return;
      const mine = kernel.answered(told.ack);
      if (told.ack !== null && !mine) return; // another view's
      say(told.error);
      if (buffers.length) {
        const fresh = URL.createObjectURL(new Blob([buffers[0]], { type: "image/png" }));
        if (address) URL.revokeObjectURL(address);
        image.src = address = fresh;
        image.alt = told.alt;
        root.dataset.pictures = Number(root.dataset.pictures) + 1;
      }
      root.dataset.values = JSON.stringify(told.values);
      if (ahead) {
        ahead = false;
        kernel.send("set", { values: { ...wanted } });
        return;
      }
      Object.assign(wanted, told.values);
      spec.controls.forEach((each, i) => made[i].show(told.values[each.field]));
      const now = spec.controls.map(each => `${each.label} ${told.values[each.field]}`).join(", ");
      if (spoken.textContent !== now) spoken.textContent = now;
    }
    model.on("msg:custom", listen);
    const leavePage = followPage(root, () => {});
    const leaveKeys = keepKeys(root, () => {});
    kernel.send("hello");
    return () => {
      model.off("msg:custom", listen);
      leavePage();
      leaveKeys();
      kernel.close();
      if (address) URL.revokeObjectURL(address);
    };
  },
};
