// One view of a question: what the hand does goes to the kernel, and what the kernel holds is shown. Takes all of the
// files before it.

const SILENT = "The kernel does not answer. If a cell is running, wait for it; otherwise run this cell again.";
const OPEN = "Once committed, it stays.";
const ANEW = "Run this cell again to be asked anew.";

export default {
  render({ model, el }) {
    const spec = model.get("spec"), asks = spec.kind === "recall";
    const silent = make("p", { class: "gl-message gl-error", role: "alert", hidden: true }, SILENT);
    const kernel = new Kernel(model, count => {
      root.dataset.waiting = count;
      press.setAttribute("aria-disabled", String(pending()));
      if (!count) silent.hidden = true;
    }, () => { silent.hidden = false; });
    const send = answer => kernel.send("answer", { answer });
    const pending = () => [...kernel.waiting.values()].some(event => event.kind === "answer");

    // Committing: the button, and what is said beside it.

    const said = make("span", { class: "gl-said", tabindex: "-1", role: "status", "aria-live": "polite" }, OPEN);
    let complaint = "";
    function commit() {
      if (model.get("state").answer !== null || pending()) return;
      const answer = view.value();
      if (answer === null) complain(view.empty);
      else send(answer);
    }
    function complain(words) {
      complaint = words;
      view.wrong?.(Boolean(words));
      show();
    }
    const press = button("commit", "Commit", "Keep this prediction; it cannot be changed afterwards", commit);
    const view = { choice, number, sketch, recall }[spec.kind](spec, asks ? send : commit, () => complain(""));
    const buttons = make("span", { class: "gl-buttons" }, press, ...view.buttons ?? []);
    const foot = asks ? view.foot : [make("div", { class: "gl-foot gl-commit-bar" }, buttons, said)];
    const fields = make("fieldset", {}, make("legend", {},
      make("span", { class: "gl-kind" }, asks ? "Recall" : "Predict"), " ",
      make("span", { class: "gl-question" }, ...prose(spec.question))), ...view.body);
    const root = make("div", { class: `gradlab gl-ask gl-ask-${spec.kind}` }, fields, ...foot, silent);
    el.append(root);

    // Showing what the kernel holds

    let settled = null; // the state that was shown last
    function show() {
      const state = model.get("state"), open = state.answer === null && !state.revealed;
      if (pending() && (asks || open)) return; // the hand is ahead; the kernel's answer will come
      const stage = asks ? "asked" : state.revealed ? "revealed" : open ? "open" : "committed";
      Object.assign(root.dataset, { stage, answer: JSON.stringify(state.answer) });
      if (asks) return view.show(state);
      if (open && settled && settled.answer !== null) view.clear();
      view.show(state, !open);
      settled = state;
      const focused = root.contains(document.activeElement) && document.activeElement !== said;
      fields.disabled = !open;
      buttons.hidden = !open;
      if (!open && focused) said.focus();
      const words = complaint && open ? complaint : sentence(state, open);
      if (said.textContent !== words) said.textContent = words;
      said.classList.toggle("gl-complaint", Boolean(complaint) && open);
    }
    function sentence({ answer, truth, revealed }, open) {
      if (open) return OPEN;
      const measured = truth === null ? "" : ` It was ${view.told(truth)}.`;
      if (answer === null) return `No prediction was committed.${measured} ${ANEW}`;
      if (!revealed) return `✓ Committed: ${view.said(answer)}.`;
      return `You predicted ${view.said(answer)}.${measured}`;
    }

    const changed = () => {
      complaint = "";
      show();
    };
    model.on("change:state", changed);
    const listen = message => {
      if (!kernel.waiting.has(message.ack)) return; // another view's
      for (const id of [...kernel.waiting.keys()]) { // oldest first: answers keep the order, so what is skipped is lost
        const { kind } = kernel.answered(id);
        if (kind === "answer") complain(id === message.ack ? message.error : "");
        if (id === message.ack) break;
      }
    };
    model.on("msg:custom", listen);
    const leavePage = followPage(root, () => view.fit?.());
    const leaveKeys = keepKeys(root, event => view.press(event));
    root.addEventListener("change", () => complaint && complain(""));
    show();
    kernel.send("hello"); // a kernel that is gone is told at once
    return () => {
      model.off("change:state", changed);
      model.off("msg:custom", listen);
      leavePage();
      leaveKeys();
      view.close?.();
      kernel.close();
    };
  },
};
