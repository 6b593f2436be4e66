// A curve that is drawn and committed. Takes Frame and `draw` from frame.js, Stroke from stroke.js, `make` and `button`
// from controls.js, `plain` from numbers.js.

const HELP = "Arrow keys left and right choose a point, up and down set it; Delete removes it.";

function sketch(spec, commit, cleared) {
  const frame = new Frame(spec), stroke = new Stroke(spec.points.length);
  let settled = null, closed = false, focus = 0; // settled: the committed points, [xs, ys]
  const name = `${spec.ylabel} against ${spec.xlabel}`;
  const axes = draw("g", { "aria-hidden": "true" });
  const curve = draw("path", { class: "gl-curve" });
  const invitation = draw("text", { class: "gl-invitation", "text-anchor": "middle", "aria-hidden": "true" });
  const handles = spec.points.map(x => draw("g", { class: "gl-handle", role: "slider", "aria-orientation": "vertical",
    "aria-label": `expected ${spec.ylabel} at ${spec.xlabel} ${plain(x)}`, "aria-valuemin": spec.y[0],
    "aria-valuemax": spec.y[1] },
  draw("circle", { r: 9, class: "gl-ring" }), draw("circle", { r: 3.5, class: "gl-point" }),
  draw("text", { "text-anchor": "middle", "aria-hidden": "true" })));
  const svg = draw("svg", { class: "gl-sketch", height: TALL, role: "group" }, axes, curve, invitation, ...handles);

  const drawn = () => spec.points.map((x, i) => [x, stroke.heights[i]]).filter(([, height]) => height !== null);
  function path(points) {
    return points.map(([x, height], i) =>
      `${i ? "L" : "M"}${frame.across(x).toFixed(1)} ${frame.down(height).toFixed(1)}`).join("");
  }
  function redraw() {
    if (!frame.width) return;
    const points = settled ? settled[0].map((x, i) => [x, frame.rise(settled[1][i])]) : drawn();
    curve.setAttribute("d", path(points));
    invitation.style.display = closed || points.length ? "none" : "";
    handles.forEach((handle, i) => {
      const height = stroke.height(i), set = stroke.heights[i] !== null;
      handle.setAttribute("transform", `translate(${frame.across(spec.points[i])} ${frame.down(height)})`);
      handle.setAttribute("tabindex", i === focus && !closed ? "0" : "-1");
      const value = frame.value(height), words = set ? plain(value) : "not drawn";
      handle.setAttribute("aria-valuenow", value);
      handle.setAttribute("aria-valuetext", words);
      handle.lastChild.setAttribute("y", height > 0.85 ? 24 : -15); // the value, shown with the focus
      handle.lastChild.textContent = words;
      handle.classList.toggle("gl-set", set);
    });
    svg.classList.toggle("gl-settled", closed);
    svg.setAttribute("aria-label", settled ? told() : `Sketch of the expected ${name}. ${HELP}`);
    svg.dataset.drawn = points.length;
  }

  const told = () => `Committed sketch of the expected ${name}: ${
    settled[0].map((x, i) => `${plain(settled[1][i])} at ${plain(x)}`).join(", ")}.`;

  const where = event => {
    const box = svg.getBoundingClientRect();
    return frame.at(event.clientX - box.left, event.clientY - box.top);
  };
  svg.addEventListener("pointerdown", event => {
    if (closed || event.button) return;
    event.preventDefault(); // else the page would select its text
    svg.setPointerCapture(event.pointerId);
    const at = where(event);
    focus = Math.round(at.place);
    stroke.begin(at);
    redraw();
  });
  svg.addEventListener("pointermove", event => {
    if (!stroke.from || closed) return;
    for (const each of event.getCoalescedEvents?.() ?? []) stroke.move(where(each));
    stroke.move(where(event));
    redraw();
  });
  for (const over of ["pointerup", "pointercancel"]) svg.addEventListener(over, () => stroke.end());

  const wipe = button("clear", "Clear", "Remove what is drawn", () => { stroke.clear(); redraw(); cleared(); });
  return {
    body: [svg],
    buttons: [wipe],
    press: event => {
      const at = handles.indexOf(event.target);
      if (at < 0 || closed || event.altKey) return;
      const next = stroke.key(event.key, at);
      if (next === null) return;
      event.preventDefault();
      focus = next;
      redraw();
      handles[focus].focus();
    },
    empty: "Draw a curve first, through two points at least.",
    value: () => {
      const points = drawn();
      return points.length < 2 ? null : [points.map(([x]) => x), points.map(([, height]) => frame.value(height))];
    },
    show({ answer }, over) {
      settled = answer;
      closed = over;
      if (closed) stroke.clear(); // what was not committed does not count
      redraw();
    },
    clear: () => { stroke.clear(); redraw(); },
    fit() {
      axes.replaceChildren(...frame.fit(svg.getBoundingClientRect().width));
      invitation.setAttribute("x", ROOM.left + frame.width / 2);
      invitation.setAttribute("y", ROOM.top + frame.height / 2 - 14);
      invitation.replaceChildren("Draw here with the pointer, or with the arrow keys");
      redraw();
    },
    said: () => "this curve",
  };
}
