// Options to choose from, and the two questions that have them. Takes `make` from controls.js, `prose`, `stack` and
// LETTERS from words.js.

const REST = 350; // ms that an arrow key may rest on an option before it counts as chosen

// A native radio group. chosen: called with the place of an option, `passing` if an arrow key has moved there.
// Gives { rows, value(), show(place), mark(place, pairs of glyph and word), press(event) }.
function radios(spec, chosen) {
  const name = `gl-${Math.random().toString(36).slice(2)}`;
  let arrow = false;
  const inputs = spec.options.map((_, i) => make("input", { type: "radio", name, value: i,
    onchange: () => { chosen(i, arrow); arrow = false; } }));
  const marks = inputs.map(() => make("span", { class: "gl-mark" }));
  const rows = spec.options.map((text, i) => make("label", { class: "gl-option" }, inputs[i],
    make("b", {}, LETTERS[i]), make("span", {}, ...prose(text)), marks[i]));
  return {
    rows,
    value: () => inputs.findIndex(input => input.checked),
    show: place => inputs.forEach((input, i) => { input.checked = i === place; }),
    mark: (place, words) => {
      marks[place].replaceChildren(...words.map(([glyph, word]) =>
        make("span", {}, `${glyph} `, make("span", { class: "gl-word" }, word))));
      rows[place].classList.toggle("gl-marked", words.length > 0);
    },
    press: event => {
      arrow = event.key.startsWith("Arrow");
      const place = event.altKey || event.key.length > 1 ? -1 : LETTERS.indexOf(event.key.toLowerCase());
      if (!inputs[place] || inputs[place].matches(":disabled")) return;
      event.preventDefault();
      inputs[place].focus();
      inputs[place].click();
    },
  };
}

// A choice that is committed: { body, value(), show(state), press(event), told(state) }.
function choice(spec) {
  const group = radios(spec, () => {});
  return {
    body: group.rows,
    press: group.press,
    empty: "Choose an option first.",
    value: () => (group.value() < 0 ? null : group.value()),
    show({ answer, truth }, settled) {
      if (settled) group.show(answer);
      spec.options.forEach((_, i) => group.mark(i,
        [i === answer && ["●", "predicted"], i === truth && ["✓", "what happened"]].filter(Boolean)));
    },
    clear: () => group.show(-1),
    said: answer => LETTERS[answer],
    told: truth => LETTERS[truth],
  };
}

// A question with feedback at once. send: called with the place of a chosen option.
function recall(spec, send) {
  const live = make("span", { class: "gl-hidden", role: "status", "aria-live": "polite" });
  let waiting = 0;
  const verdict = i => (i === spec.answer ? "Right." : "Not this one.");
  const feedback = stack([["Choose an option; you may try again."], ...spec.options.map((_, i) => [
    make("b", {}, `${i === spec.answer ? "✓" : "×"} ${verdict(i)}`), " ", ...prose(spec.feedback[i]),
    spec.pitfalls[i] ? make("div", { class: "gl-pitfall" }, "Pitfall: ", ...prose(spec.pitfalls[i])) : ""])],
  { class: "gl-stack gl-feedback", "aria-hidden": "true" });
  const answer = i => {
    feedback.show(i + 1);
    feedback.element.dataset.right = i < 0 ? "" : String(i === spec.answer);
    live.textContent = i < 0 ? "" : [`${LETTERS[i]}: ${verdict(i)}`, spec.feedback[i].replaceAll("`", ""),
      spec.pitfalls[i] && `Pitfall: ${spec.pitfalls[i]}.`].filter(Boolean).join(" ");
  };
  const group = radios(spec, (i, passing) => {
    clearTimeout(waiting);
    const take = () => {
      waiting = 0;
      answer(i);
      send(i);
    };
    if (passing) waiting = setTimeout(take, REST);
    else take();
  });
  answer(-1);
  return {
    body: group.rows,
    foot: [feedback.element, live],
    press: group.press,
    show(state) {
      if (waiting) return; // the hand is ahead
      const place = state.answer ?? -1;
      group.show(place);
      answer(place);
    },
    close: () => clearTimeout(waiting),
  };
}
