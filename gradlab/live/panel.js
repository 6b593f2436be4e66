// The page's half of gradlab's live panel: native controls, four linked charts on one canvas, no imports.
//
// The kernel holds the truth. Every event that leaves here has an id and is answered by a `state` message with that
// id; new steps arrive as rows of float32. Messages of several kernel threads may overtake one another, so states
// carry a version and rows carry their place in the run.
//
//   1 data      runs, as columns of numbers
//   2 charts    what the four charts show, and within which limits
//   3 drawing   one canvas: frames, ticks, curves, legends, crosshair
//   4 controls  sliders, choices, buttons, chips, share string, table
//   5 render    one view: wires the above to the kernel

// ---------------------------------------------------------------------------------------------------- 1 data

const COLUMNS = ["step", "loss", "lr", "max_norm", "norm_before", "norm_after", "clipped", "update_ratio"]; // rows.py
const WINDOW = 25; // steps that the share of clipped steps is taken over

class Run {
  constructor() {
    for (const name of [...COLUMNS, "share", "update"]) this[name] = [];
    this.diverged = null; // the step at which a number stopped being finite
  }

  get length() { return this.step.length; }

  // Takes rows whose first is row `start` of the run; false if rows in between are missing.
  put(start, flat) {
    if (start > this.length) return false;
    const width = COLUMNS.length;
    for (let row = this.length - start; row < flat.length / width; row++) {
      COLUMNS.forEach((name, column) => this[name].push(flat[row * width + column]));
      const end = this.length;
      let clipped = 0;
      for (let i = Math.max(0, end - WINDOW); i < end; i++) clipped += this.clipped[i];
      this.share.push((100 * clipped) / Math.min(end, WINDOW));
      this.update.push(Math.log10(this.update_ratio[end - 1]));
    }
    return true;
  }

  // The row nearest to a step.
  at(step) {
    let low = 0, high = this.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.step[middle] < step) low = middle + 1; else high = middle;
    }
    return low > 0 && step - this.step[low - 1] < this.step[low] - step ? low - 1 : low;
  }
}

function floats(view) {
  const copy = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength); // aligned to four bytes
  return new Float32Array(copy);
}

// Three digits, as a person would write them.
function say(value) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e4 || size < 1e-3 ? value.toExponential(1).replace("e+", "e")
    : size >= 1e3 ? value.toFixed(0) : value.toPrecision(3);
  return text.replace("-", "−");
}

const plain = value => (value === null || value === undefined ? "off" : String(+(+value).toPrecision(6)));

// ---------------------------------------------------------------------------------------------------- 2 charts

const DARK = { blue: "#56B4E9", vermillion: "#E9711C", green: "#1DB58C", purple: "#D68FB8" };
const LIGHT = { blue: "#0072B2", vermillion: "#D55E00", green: "#00845F", purple: "#B3628F" }; // Okabe and Ito
const TINTS = ["#8A8A8A", "#C9962E", "#7F76B8", "#4BA3A3", "#9C7B5B", "#A9A93A"]; // still.py

const drawable = (value, log) => Number.isFinite(value) && (!log || value > 0);

function extent(lists, log) {
  let low = Infinity, high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (!drawable(value, log)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}

// Of the positive numbers; some hundreds of each list are enough to place an axis.
function median(lists) {
  const some = lists.flatMap(list => {
    const every = Math.ceil(list.length / 300);
    return list.filter((value, i) => i % every === 0 && drawable(value, true));
  }).sort((a, b) => a - b);
  return some.length ? some[some.length >> 1] : 1;
}

// The next of 1, 2, 5, 10, 20 ... outwards: limits that move seldom keep the picture calm.
function roundOut(value, up) {
  const decade = 10 ** Math.floor(Math.log10(value));
  const steps = up ? [1, 2, 5, 10] : [5, 2, 1];
  const found = steps.find(step => (up ? step * decade >= value * 0.999 : step * decade <= value * 1.001));
  return (found ?? 1) * decade;
}

const CHARTS = [
  {
    title: "Loss", unit: "nats per character", reference: { name: "lowest", of: spec => spec.floor },
    curves: [{ name: "loss", of: run => run.loss, colour: "blue", width: 1.6 }],
    ghost: run => run.loss,
    // A loss far above the first one says "failed"; its way through the powers of ten would flatten all else.
    limits(runs) {
      const first = runs.length ? median(runs.map(run => [run.loss[0]])) : 4;
      const high = extent(runs.map(run => run.loss))[1];
      const top = Math.min(1.75 * first, Math.max(high, 0.3 * first));
      const step = niceStep(Number.isFinite(high) ? top : first, 8);
      return [0, Math.ceil((Number.isFinite(high) ? top * 1.02 : first) / step) * step];
    },
  },
  {
    title: "Gradient norm", unit: "", log: true,
    curves: [ // the second covers the first where nothing is clipped; what clipping took away stands out
      { name: "before", of: run => run.norm_before, colour: "vermillion", width: 1.4 },
      { name: "after", of: run => run.norm_after, colour: "blue", width: 2 },
      { name: "max_norm", of: run => run.max_norm, colour: "ink", width: 1.2, dash: [5, 3], stairs: true },
    ],
    ghost: run => run.norm_before,
    limits(runs) {
      const norms = runs.flatMap(run => [run.norm_before, run.norm_after]);
      const middle = median(norms);
      let [low, high] = extent([...norms, ...runs.map(run => run.max_norm.filter(
        limit => limit > middle / 300 && limit < middle * 300))], true);
      if (!(low <= high)) [low, high] = [0.1, 10];
      [low, high] = [Math.max(low, middle / 1e3), Math.min(high, middle * 1e3)];
      if (high / low < 4) [low, high] = [low / 2, high * 2];
      return [roundOut(low, false), roundOut(high, true)];
    },
  },
  {
    title: "Clipped", unit: `% of the last ${WINDOW} steps`,
    curves: [{ name: "clipped", of: run => run.share, colour: "purple", width: 2 }],
    ghost: run => run.share,
    limits: () => [0, 100],
    pad: 5,
  },
  {
    title: "Update size", unit: "log10 of update / parameter", reference: { name: "rule of thumb", of: () => -3 },
    curves: [{ name: "log10", of: run => run.update, colour: "green", width: 1.6 }],
    ghost: run => run.update,
    limits(runs) {
      const [low, high] = extent(runs.map(run => run.update));
      return [Math.max(-9, Math.floor(Math.min(-4, low))), Math.min(3, Math.ceil(Math.max(-1, high)))];
    },
  },
];

function niceStep(span, count) {
  const rough = span / count, decade = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find(step => step * decade >= rough * 0.999) * decade;
}

function linearTicks(low, high, count) {
  const step = niceStep(high - low, count), ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9; i++) ticks.push(+(i * step).toPrecision(12));
  return ticks;
}

function logTicks(low, high, count) {
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high)), decades = last - first;
  const digits = decades <= 1 ? [1, 2, 5] : decades <= 2 ? [1, 3] : [1];
  const every = Math.ceil(decades / count), ticks = [];
  for (let decade = first; decade <= last; decade += every)
    for (const digit of digits) ticks.push(+`${digit}e${decade}`);
  return ticks.filter(tick => tick >= low * 0.999 && tick <= high * 1.001);
}

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function tickLabel(value, log) {
  const exponent = Math.round(Math.log10(Math.abs(value)));
  if (log && (exponent >= 4 || exponent <= -4) && Math.abs(value - 10 ** exponent) < 1e-9 * 10 ** exponent)
    return "10" + (exponent < 0 ? "⁻" : "") + [...String(Math.abs(exponent))].map(d => SUPERSCRIPT[d]).join("");
  return String(value).replace("-", "−");
}

// ---------------------------------------------------------------------------------------------------- 3 drawing

const LEGEND = { key: 14, gap: 10, value: 36 }; // widths in pixels

class Picture {
  constructor(canvas, root) {
    this.canvas = canvas;
    this.root = root;
    this.pen = canvas.getContext("2d");
    this.hover = null; // the step under the pointer
    this.emphasis = null; // the pinned run whose chip is pointed at
    this.frames = 0;
    this.readTheme();
  }

  readTheme() {
    const style = getComputedStyle(this.root);
    const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
    this.pen.fillStyle = "#ffffff";
    this.pen.fillStyle = read("--gl-ground", "#ffffff");
    const hex = String(this.pen.fillStyle);
    const [red, green, blue] = hex[0] === "#" ? [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16))
      : hex.match(/[\d.]+/g).map(Number);
    this.dark = 0.3 * red + 0.59 * green + 0.11 * blue < 128;
    this.root.dataset.theme = this.dark ? "dark" : "light";
    this.colour = {
      ...(this.dark ? DARK : LIGHT), ground: hex, ink: read("--gl-ink", "#222"), soft: read("--gl-soft", "#666"),
      grid: this.dark ? "rgba(255,255,255,.11)" : "rgba(0,0,0,.085)",
      axis: this.dark ? "rgba(255,255,255,.32)" : "rgba(0,0,0,.32)",
    };
    this.family = read("--gl-font", "system-ui, sans-serif");
  }

  // Sizes the canvas for a width in CSS pixels: two columns of charts, or one where it is narrow.
  fit(width) {
    const columns = width >= 620 ? 2 : 1, gap = columns === 2 ? 26 : 0, tall = columns === 2 ? 182 : 172;
    const wide = (width - gap * (columns - 1)) / columns;
    this.width = width;
    this.height = (4 / columns) * tall;
    this.frame = CHARTS.map((_, i) => ({
      left: (i % columns) * (wide + gap) + 38, top: Math.floor(i / columns) * tall + 25,
      width: wide - 38 - 13, height: tall - 25 - 25,
    }));
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
  }

  draw(run, pins, spec) {
    if (!(this.width > 0)) return;
    const pen = this.pen, ratio = this.canvas.width / this.width;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    pen.lineJoin = "round";
    this.end = this.lastStep([run, ...pins], spec);
    CHARTS.forEach((chart, i) => this.chart(chart, this.frame[i], run, pins, spec));
    this.frames += 1;
  }

  // The right end of the shared axis. It grows in leaps, so that curves mostly stand still.
  lastStep(runs, spec) {
    const needed = Math.max(...runs.map(run => (run.length ? run.step[run.length - 1] : 0)));
    let end = Math.min(Math.max(spec.steps, 20), 200);
    while (end < needed) end *= 1.25;
    return end;
  }

  stepAt(x, y) {
    const inside = this.frame?.find(f => x >= f.left - 6 && x <= f.left + f.width + 6 &&
      y >= f.top - 25 && y <= f.top + f.height + 25);
    return inside ? Math.max(0, ((x - inside.left) / inside.width) * this.end) : null;
  }

  chart(chart, f, run, pins, spec) {
    const pen = this.pen, log = chart.log;
    const [low, high] = chart.limits([run, ...pins].filter(r => r.length));
    const bend = log ? Math.log10 : value => value;
    const pad = chart.pad ?? 0;
    const X = step => f.left + (step / this.end) * f.width;
    const Y = value => f.top + f.height - pad - ((bend(value) - bend(low)) / (bend(high) - bend(low))) * (f.height - 2 * pad);
    const level = chart.reference?.of(spec) ?? null;

    this.axes(f, X, Y, log ? logTicks(low, high, 5) : linearTicks(low, high, chart.pad ? 2 : 5), log);
    if (level !== null) this.reference(f, Y(level));

    pen.save();
    pen.beginPath();
    pen.rect(f.left, f.top - 1, f.width + 1, f.height + 2);
    pen.clip();
    pins.forEach(pin => {
      pen.globalAlpha = this.emphasis === null ? 0.75 : this.emphasis === pin.id ? 1 : 0.25;
      this.curve(pin, chart.ghost(pin), X, Y, { colour: pin.tint, width: this.emphasis === pin.id ? 2 : 1.1, log });
    });
    for (const curve of chart.curves) {
      pen.globalAlpha = this.emphasis === null ? 1 : 0.35;
      this.curve(run, curve.of(run), X, Y, { ...curve, colour: this.colour[curve.colour], log });
    }
    pen.restore();

    const ends = [];
    pins.forEach(pin => this.ghostEnd(pin, chart.ghost(pin), f, X, Y, log, ends));
    const first = chart.curves[0];
    const ghosts = pins.map(pin => [pin, chart.ghost(pin), pin.tint]);
    this.offChart(f, [...ghosts, [run, first.of(run), this.colour[first.colour]]], X, high);
    if (run.diverged !== null) this.diverged(f, X(run.diverged), chart === CHARTS[0] ? run.diverged : null);
    this.heading(chart, f, run, level);
    if (this.hover !== null && run.length) this.crosshair(chart, f, run, X, Y, log, low, high);
  }

  axes(f, X, Y, ticks, log) {
    const pen = this.pen, bottom = f.top + f.height;
    pen.font = `11px ${this.family}`;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    pen.lineWidth = 1;
    for (const tick of ticks) {
      const y = Math.round(Y(tick)) + 0.5;
      if (y < f.top - 1 || y > bottom + 1) continue;
      this.line(f.left, y, f.left + f.width, y, this.colour.grid);
      pen.fillStyle = this.colour.soft;
      pen.fillText(tickLabel(tick, log), f.left - 7, y);
    }
    this.line(f.left, Math.round(bottom) + 0.5, f.left + f.width, Math.round(bottom) + 0.5, this.colour.axis);
    pen.textBaseline = "top";
    pen.fillText("step", f.left - 7, bottom + 6);
    pen.textAlign = "center";
    for (const tick of linearTicks(0, this.end, Math.max(2, f.width / 70))) {
      const x = Math.round(X(tick)) + 0.5;
      this.line(x, bottom, x, bottom + 4, this.colour.axis);
      if (this.hover === null || Math.abs(X(this.hover) - x) > 32) pen.fillText(String(tick), x, bottom + 6);
    }
  }

  line(x0, y0, x1, y1, colour, dash = []) {
    const pen = this.pen;
    pen.strokeStyle = colour;
    pen.setLineDash(dash);
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
    pen.stroke();
    pen.setLineDash([]);
  }

  reference(f, y) {
    if (y < f.top || y > f.top + f.height) return;
    this.pen.lineWidth = 1;
    this.line(f.left, Math.round(y) + 0.5, f.left + f.width, Math.round(y) + 0.5, this.colour.soft, [2, 3]);
  }

  // One polyline with gaps at non-finite values. Where there are more points than pixels, a column of pixels shows
  // its lowest and highest value, so that no spike is lost.
  curve(run, values, X, Y, { colour, width, dash = [], stairs = false, log = false }) {
    const pen = this.pen, dense = values.length > 2 * this.frame[0].width && !stairs;
    const near = y => Math.max(-1e3, Math.min(1e4, y));
    let down = false, previous = 0, column = null, low = 0, high = 0;
    const go = (x, y) => {
      if (!down) pen.moveTo(x, y);
      else {
        if (stairs) pen.lineTo(x, previous);
        pen.lineTo(x, y);
      }
      down = true;
      previous = y;
    };
    const flush = () => {
      if (column === null) return;
      go(column, low);
      if (high !== low) go(column, high);
      column = null;
    };
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    pen.beginPath();
    for (let i = 0; i < values.length; i++) {
      if (!drawable(values[i], log)) {
        flush();
        down = false;
        continue;
      }
      const x = X(run.step[i]), y = near(Y(values[i]));
      if (!dense) go(x, y);
      else if (column === Math.round(x)) [low, high] = [Math.min(low, y), Math.max(high, y)];
      else {
        flush();
        [column, low, high] = [Math.round(x), y, y];
      }
    }
    flush();
    if (stairs && down && values.length) pen.lineTo(X(run.step[values.length - 1] + 1), previous);
    pen.stroke();
    pen.setLineDash([]);
  }

  lastDrawable(values, log) {
    for (let i = values.length - 1; i >= 0; i--) if (drawable(values[i], log)) return i;
    return -1;
  }

  // A pinned run's number at the end of its curve; numbers that would cover one another stand side by side.
  ghostEnd(pin, values, f, X, Y, log, taken) {
    const i = this.lastDrawable(values, log);
    if (i < 0) return;
    const pen = this.pen;
    let x = X(pin.step[i]);
    const y = Math.max(f.top + 4, Math.min(f.top + f.height - 5, Y(values[i])));
    while (taken.some(([tx, ty]) => Math.abs(tx - x) < 10 && Math.abs(ty - y) < 11)) x += 10;
    taken.push([x, y]);
    pen.font = `600 10.5px ${this.family}`;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.lineWidth = 3;
    pen.strokeStyle = this.colour.ground;
    pen.fillStyle = pin.tint;
    const text = (pin.diverged !== null ? "×" : "") + pin.number;
    pen.strokeText(text, x + 4, y);
    pen.fillText(text, x + 4, y);
  }

  // Small triangles under the top edge where a curve has left the chart.
  offChart(f, curves, X, high) {
    const pen = this.pen;
    for (const [run, values, colour] of curves) {
      let last = -Infinity, outside = false;
      for (let i = 0; i < values.length; i++) {
        const left = outside;
        outside = values[i] > high + 1e-9 * Math.abs(high);
        const x = X(run.step[i]);
        if (!outside || left || x - last < 14) continue;
        last = x;
        pen.fillStyle = colour;
        pen.beginPath();
        pen.moveTo(x - 4, f.top + 6);
        pen.lineTo(x + 4, f.top + 6);
        pen.lineTo(x, f.top - 1);
        pen.fill();
      }
    }
  }

  diverged(f, x, step) {
    const pen = this.pen;
    pen.lineWidth = 1.25;
    this.line(x, f.top, x, f.top + f.height, this.colour.vermillion, [2, 2]);
    const y = f.top + f.height / 2;
    pen.lineWidth = 2;
    this.line(x - 4, y - 4, x + 4, y + 4, this.colour.vermillion);
    this.line(x - 4, y + 4, x + 4, y - 4, this.colour.vermillion);
    const right = x < f.left + f.width * 0.7;
    pen.font = `600 11px ${this.family}`;
    pen.textAlign = right ? "left" : "right";
    pen.textBaseline = "middle";
    pen.lineWidth = 4;
    pen.strokeStyle = this.colour.ground;
    pen.fillStyle = this.colour.vermillion;
    const words = step === null ? "diverged" : `diverged at step ${step}`;
    pen.strokeText(words, x + (right ? 9 : -9), y);
    pen.fillText(words, x + (right ? 9 : -9), y);
  }

  // Title and unit at the left; at the right the legend, whose numbers are those of the hovered or the last step.
  heading(chart, f, run, level) {
    const pen = this.pen, base = f.top - 12;
    pen.textBaseline = "alphabetic";
    pen.textAlign = "left";
    pen.font = `600 12.5px ${this.family}`;
    pen.fillStyle = this.colour.ink;
    const left = f.left - 38;
    const title = f.width < 300 ? chart.title.split(" ")[0] : chart.title;
    pen.fillText(title, left, base);
    const used = left + pen.measureText(title).width + 7;
    pen.font = `11.5px ${this.family}`;
    const unit = pen.measureText(chart.unit).width;
    const row = run.length ? (this.hover === null ? run.length - 1 : run.at(this.hover)) : -1;
    const words = curve => {
      if (curve.constant !== undefined) return plain(curve.constant).replace("-", "−");
      if (row < 0) return "–";
      const value = curve.of(run)[row];
      if (curve.stairs) return value === Infinity ? "off" : plain(value);
      return chart.pad ? `${Math.round(value)} %` : say(value);
    };
    const right = f.left + f.width + 8;
    const [entries, valued, told] = this.legend(chart, level, unit, right - used);
    if (told) {
      pen.fillStyle = this.colour.soft;
      pen.fillText(chart.unit, used, base);
    }
    let x = right;
    for (const curve of [...entries].reverse()) { // from the right end
      if (valued(curve)) {
        x -= LEGEND.value;
        pen.font = `600 11.5px ${this.family}`;
        pen.fillStyle = this.colour.ink;
        pen.fillText(words(curve), x, base);
        pen.font = `11.5px ${this.family}`;
      }
      x -= this.nameWidth(chart, curve);
      pen.fillStyle = this.colour.soft;
      if (this.nameWidth(chart, curve)) pen.fillText(curve.name, x, base);
      x -= LEGEND.key + 5;
      pen.lineWidth = curve.width;
      this.line(x, base - 4, x + LEGEND.key, base - 4, this.colour[curve.colour], curve.dash);
      x -= LEGEND.gap;
    }
  }

  nameWidth(chart, entry) { // a chart's only curve needs no name
    return chart.curves.length > 1 || entry.constant !== undefined ? this.pen.measureText(entry.name).width + 5 : 0;
  }

  // What the legend can afford in so many pixels: [its entries, which of them show numbers, whether the unit is told].
  legend(chart, level, unit, pixels) {
    const line = { name: chart.reference?.name, constant: level, colour: "soft", width: 1, dash: [2, 3] };
    const all = level === null ? chart.curves : [...chart.curves, line];
    const width = (entries, valued) => entries.reduce((sum, entry) => sum + LEGEND.gap + LEGEND.key + 5
      + this.nameWidth(chart, entry) + (valued(entry) ? LEGEND.value : 0), -LEGEND.gap);
    return [
      [all, () => true, true],
      [all, entry => entry.constant === undefined, true], // the axis tells that number as well
      [chart.curves, () => true, true],
      [chart.curves, curve => !curve.stairs, true], // the slider tells the threshold
      [chart.curves, () => false, true],
      [chart.curves, () => true, false],
      [chart.curves, () => false, false],
    ].find(([entries, valued, told], i) => i === 6 || (told ? unit : 0) + width(entries, valued) < pixels);
  }

  crosshair(chart, f, run, X, Y, log, low, high) {
    const pen = this.pen, row = run.at(this.hover), x = X(run.step[row]);
    pen.lineWidth = 1;
    this.line(Math.round(x) + 0.5, f.top, Math.round(x) + 0.5, f.top + f.height, this.colour.axis);
    for (const curve of chart.curves) {
      const value = curve.of(run)[row];
      if (!drawable(value, log) || value > high || value < low) continue;
      pen.fillStyle = this.colour[curve.colour];
      pen.strokeStyle = this.colour.ground;
      pen.lineWidth = 1.5;
      pen.beginPath();
      pen.arc(x, Y(value), 3.5, 0, 7);
      pen.fill();
      pen.stroke();
    }
    pen.font = `600 11px ${this.family}`;
    pen.fillStyle = this.colour.ink;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    pen.fillText(String(run.step[row]), x, f.top + f.height + 6);
  }
}

// ---------------------------------------------------------------------------------------------------- 4 controls

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
  const range = make("input", { type: "range", id, min: 0, max: spec.ticks.length - 1, step: 1, "data-field": spec.field });
  const box = make("input", { type: "number", step: "any", "aria-label": `${words}, exact value`, "data-exact": spec.field });
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

const limit = (run, row) => (run.max_norm[row] === Infinity ? "off" : plain(run.max_norm[row]));

function table(run) {
  const head = ["step", "loss", "lr", "max_norm", "norm before", "norm after", "clipped", "log10 update"];
  const body = [];
  for (let i = Math.max(0, run.length - 20); i < run.length; i++) {
    body.unshift([run.step[i], say(run.loss[i]), plain(run.lr[i]), limit(run, i), say(run.norm_before[i]),
      say(run.norm_after[i]), run.clipped[i] ? "yes" : "no", say(run.update[i])]);
  }
  return make("table", {}, make("caption", {}, body.length ? "The last 20 steps, newest first" : "No step yet"),
    make("thead", {}, make("tr", {}, ...head.map(text => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...body.map(row => make("tr", {}, ...row.map(cell => make("td", {}, String(cell)))))));
}

// One sentence for those who cannot see the charts.
function sentence(run, pins, status) {
  if (!run.length) return `Four charts: loss, gradient norm, share of clipped steps, update size. ${status}.`;
  const i = run.length - 1;
  return `Four charts. ${status}. Step ${run.step[i]}: loss ${say(run.loss[i])}; gradient norm ${say(run.norm_before[i])} ` +
    `before and ${say(run.norm_after[i])} after clipping, threshold ${limit(run, i)}; ` +
    `${Math.round(run.share[i])} % of the last ${WINDOW} steps clipped; log10 of update over parameter ${say(run.update[i])}.` +
    (pins.length ? ` Pinned runs: ${pins.map(pin => `${pin.number}, ${pin.label}`).join("; ")}.` : "");
}

async function copy(input) {
  try {
    await navigator.clipboard.writeText(input.value);
  } catch { // no clipboard on an insecure page
    input.select();
    document.execCommand("copy");
  }
}

// ---------------------------------------------------------------------------------------------------- 5 render

const PATIENCE = 3000; // ms that the kernel may take to answer
const SILENT = "The kernel does not answer. If a cell is running, wait for it; otherwise run this cell again.";

export default {
  render({ model, el }) {
    const spec = model.get("spec");
    const view = Math.random().toString(36).slice(2, 8);
    let run = new Run(), runNumber = -1, pins = [], version = -1, pinsVersion = -1, status = "idle", text = "idle";

    // The kernel

    const waiting = new Map(); // id of an event -> its timer
    let events = 0;
    function send(kind, extra = {}) {
      const id = `${view}-${++events}`;
      waiting.set(id, { timer: setTimeout(() => { silent.hidden = false; }, PATIENCE), kind, field: extra.field });
      root.dataset.waiting = waiting.size;
      if (extra.field) asked.set(extra.field, id);
      try {
        Promise.resolve(model.send({ kind, id, ...extra })).catch(() => {});
      } catch { /* a closed connection; the timer will say so */ }
    }
    const asked = new Map(); // field -> id of the last event that set it
    // The event that an answer belongs to, if it was sent from this view.
    function answered(id) {
      const event = waiting.get(id);
      if (!event) return null;
      clearTimeout(event.timer);
      waiting.delete(id);
      root.dataset.waiting = waiting.size;
      if (!waiting.size) silent.hidden = true;
      return event;
    }

    // The page

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
    const canvas = make("canvas", { role: "img", "aria-label": sentence(run, pins, "idle") });
    const share = make("input", { type: "text", readonly: true, class: "gl-share", spellcheck: "false",
      "aria-label": "share string of these settings" });
    const paste = make("input", { type: "text", class: "gl-paste", spellcheck: "false",
      placeholder: "paste a share string", "aria-label": "share string to load", onkeydown: event => { if (event.key === "Enter") load(); } });
    const load = () => { if (paste.value.trim()) send("load", { text: paste.value.trim() }); };
    const rows = make("div", { class: "gl-table", hidden: true, tabindex: "0", role: "region", "aria-label": "data table" });
    const toggle = button("toggle", "Table", "The last 20 steps as a table", () => {
      rows.hidden = !rows.hidden;
      toggle.setAttribute("aria-expanded", String(!rows.hidden));
      tabulated = 0;
      redraw();
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
    el.append(root);
    const picture = new Picture(canvas, root);

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
      Object.assign(root.dataset, { status, points: run.length, frames: picture.frames, pins: pins.length,
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

    const hear = {
      state(message) {
        const mine = answered(message.ack);
        const newest = follow(message);
        if (mine) {
          complain(message.error || (status === "failed" ? text : ""));
          paste.toggleAttribute("aria-invalid", mine.kind === "load" && Boolean(message.error));
          controls.get(mine.field)?.mark?.(Boolean(message.error));
        }
        if (!newest && !mine) return;
        for (const [field, value] of Object.entries(message.values)) {
          if (asked.has(field) && asked.get(field) !== message.ack) continue; // a newer value is on its way
          asked.delete(field);
          controls.get(field).show(value);
        }
        share.value = message.share;
        for (const [field, control] of controls) control.tag.hidden = !message.pending.includes(field);
        buttons.reset.classList.toggle("gl-wanted", message.pending.length > 0);
        const unseen = message.pending.filter(field => !controls.has(field)); // of a loaded share string
        const sentences = [message.note, unseen.length ? `Applies after Reset: ${unseen.join(", ")}.` : ""].filter(Boolean);
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
          return Object.assign(kept, pin, { number: i + 1, tint: TINTS[i % TINTS.length] });
        });
        const focused = chips.contains(document.activeElement);
        chips.hidden = !pins.length;
        chips.replaceChildren(...pins.map(pin => make("span", { class: "gl-chip", style: `--tint: ${pin.tint}`,
          onpointerenter: () => { picture.emphasis = pin.id; redraw(); },
          onpointerleave: () => { picture.emphasis = null; redraw(); } },
        make("b", {}, String(pin.number)), make("span", {}, pin.label),
        make("button", { type: "button", "aria-label": `Remove pinned run ${pin.number}, ${pin.label}`, title: "Remove",
          onclick: () => { picture.emphasis = null; send("unpin", { pin: pin.id }); } }, "×"))),
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
      for (const wait of [0, 150, 600]) setTimeout(() => { picture.readTheme(); redraw(); }, wait);
    };
    const themes = new MutationObserver(retheme);
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "data-jp-theme-light", "class"] });
    const night = window.matchMedia("(prefers-color-scheme: dark)");
    night.addEventListener("change", retheme);

    const sizes = new ResizeObserver(() => {
      const width = canvas.clientWidth;
      if (!width) return;
      root.dataset.narrow = String(width < 620);
      picture.fit(width);
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
      for (const { timer: each } of waiting.values()) clearTimeout(each);
    };
  },
};
