// The frame that a curve is drawn in: axes, grid and scales, as SVG. Takes `linearTicks` and `logTicks` from axis.js
// and `tickLabel` from numbers.js.

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const ROOM = { left: 42, right: 14, top: 26, bottom: 38 }; // pixels around the frame
const TALL = 250;

// A height is a fraction of the frame, from 0 at the bottom to 1 at the top, whatever the scale.
class Frame {
  constructor(spec) {
    this.spec = spec;
    this.first = spec.points[0];
    this.last = spec.points.at(-1);
    [this.low, this.high] = spec.log ? spec.y.map(Math.log) : spec.y;
  }

  // Sizes the frame; gives the elements of its axes.
  fit(width) {
    Object.assign(this, { width: width - ROOM.left - ROOM.right, height: TALL - ROOM.top - ROOM.bottom });
    const { spec } = this, bottom = ROOM.top + this.height, right = ROOM.left + this.width;
    const line = (x1, y1, x2, y2, kind) => draw("line", { x1, y1, x2, y2, class: kind });
    const text = (x, y, words, kind, anchor) => draw("text", { x, y, class: kind, "text-anchor": anchor }, words);
    const parts = [text(0, 14, spec.ylabel, "gl-title", "start"), text(right, TALL - 4, spec.xlabel, "gl-tick", "end")];
    for (const tick of (spec.log ? logTicks : linearTicks)(...spec.y, 5)) {
      const y = Math.round(this.down(this.rise(tick))) + 0.5;
      parts.push(line(ROOM.left, y, right, y, "gl-grid"),
        text(ROOM.left - 7, y + 4, tickLabel(tick, spec.log), "gl-tick", "end"));
    }
    for (const tick of linearTicks(this.first, this.last, Math.max(2, Math.floor(this.width / 80)))) {
      const x = Math.round(this.across(tick)) + 0.5;
      parts.push(line(x, ROOM.top, x, bottom, "gl-grid"), text(x, bottom + 17, tickLabel(tick), "gl-tick", "middle"));
    }
    return [...parts, line(ROOM.left, bottom + 0.5, right, bottom + 0.5, "gl-axis")];
  }

  across(x) { return ROOM.left + this.width * (x - this.first) / (this.last - this.first); }
  down(height) { return ROOM.top + this.height * (1 - height); }
  rise(y) { return ((this.spec.log ? Math.log(y) : y) - this.low) / (this.high - this.low); }

  // The number at a height, with the digits that a hand can mean, and never outside the axis.
  value(height) {
    const y = this.low + height * (this.high - this.low), exact = this.spec.log ? Math.exp(y) : y;
    return Math.min(this.spec.y[1], Math.max(this.spec.y[0], +exact.toPrecision(3)));
  }

  // Where a pointer is: the place among the points as a real number, and the height.
  at(x, y) {
    const within = value => Math.min(1, Math.max(0, value));
    return { place: within((x - ROOM.left) / this.width) * (this.spec.points.length - 1),
      height: within(1 - (y - ROOM.top) / this.height) };
  }
}
