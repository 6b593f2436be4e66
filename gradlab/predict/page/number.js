// A number that is committed. Takes `make` from controls.js and `plain` from numbers.js.

function number(spec, commit) {
  const input = make("input", { type: "number", step: "any", min: spec.low, max: spec.high, inputmode: "decimal" });
  const range = `from ${plain(spec.low)} to ${plain(spec.high)}`;
  return {
    body: [make("div", { class: "gl-number" },
      make("label", {}, make("span", {}, "Your prediction"), input, spec.unit && make("span", {}, spec.unit)),
      make("span", { class: "gl-range" }, range))],
    press: event => {
      if (event.key === "Enter" && event.target === input) commit();
    },
    empty: `Type a number ${range}.`,
    value: () => (input.value.trim() === "" ? null : Number(input.value)),
    show({ answer }, settled) {
      if (settled && answer !== null) input.value = plain(answer);
    },
    wrong: bad => (bad ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid")),
    clear: () => { input.value = ""; },
    said: answer => [plain(answer), spec.unit].filter(Boolean).join(" "),
    told: truth => truth.replace(/\.$/, ""),
  };
}
