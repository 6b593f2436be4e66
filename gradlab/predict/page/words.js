// The words of a question. Takes `make` from controls.js.

const LETTERS = "abcdef";

// Nodes that show a text as it is, with what stands in backticks as code.
function prose(text) {
  return text.split(/`([^`]+)`/).map((part, i) => (i % 2 ? make("code", {}, part) : part)).filter(part => part !== "");
}

// A place for several texts of which one shows: as large as the largest, so that nothing below ever moves.
// nodes: for each text its nodes. Gives { element, show(which) }; which may be null.
function stack(nodes, attributes = {}) {
  const layers = nodes.map(each => make("div", { class: "gl-layer" }, ...each));
  const element = make("div", { class: "gl-stack", ...attributes }, ...layers);
  return { element, show: which => layers.forEach((layer, i) => layer.classList.toggle("gl-shown", i === which)) };
}
