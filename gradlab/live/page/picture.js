// The picture: four charts on one sheet with one axis of steps. Takes CHARTS, the ticks of axis.js, tickLabel from
// numbers.js, Sheet, and what curves.js and heading.js draw.

class Picture {
  constructor(canvas, root, colours) {
    this.sheet = new Sheet(canvas, root, colours);
    this.hover = null; // the step under the pointer
    this.emphasis = null; // the pinned run whose chip is pointed at
    this.drawn = 0; // how often
  }

  draw(run, pins, spec) {
    if (!(this.sheet.width > 0)) return;
    this.sheet.clear();
    this.end = this.lastStep([run, ...pins], spec);
    CHARTS.forEach((chart, i) => this.chart(chart, this.sheet.frames[i], run, pins, spec));
    this.drawn += 1;
  }

  // The right end of the shared axis. It grows in leaps, so that curves mostly stand still.
  lastStep(runs, spec) {
    const needed = Math.max(...runs.map(run => (run.length ? run.step[run.length - 1] : 0)));
    let end = Math.min(Math.max(spec.steps, 20), 200);
    while (end < needed) end *= 1.25;
    return end;
  }

  // The step at a point of the canvas, or null beside the charts.
  stepAt(x, y) {
    const frame = this.sheet.frameAt(x, y);
    return frame ? Math.max(0, ((x - frame.left) / frame.width) * this.end) : null;
  }

  chart(chart, frame, run, pins, spec) {
    const sheet = this.sheet, plane = this.plane(chart, frame, [run, ...pins].filter(each => each.length));
    const level = chart.reference?.of(spec) ?? null;
    this.axes(plane, chart);
    if (level !== null) this.reference(plane, level);
    this.curves(plane, chart, run, pins);
    const taken = [];
    for (const pin of pins) markGhost(sheet, plane, pin, chart.ghost(pin), taken);
    for (const pin of pins) markOffChart(sheet, plane, pin, chart.ghost(pin), pin.tint);
    const [first] = chart.curves;
    markOffChart(sheet, plane, run, first.of(run), sheet.colour[first.colour]);
    if (run.diverged !== null) {
      const words = chart === CHARTS[0] ? `diverged at step ${run.diverged}` : "diverged";
      markDivergence(sheet, plane, run.diverged, words);
    }
    const row = !run.length ? -1 : this.hover === null ? run.length - 1 : run.at(this.hover);
    drawHeading(sheet, chart, frame, run, row, level);
    if (this.hover !== null && run.length) this.crosshair(plane, chart, run, row);
  }

  plane(chart, frame, runs) {
    const log = chart.log, [low, high] = chart.limits(runs), pad = chart.pad ?? 0;
    const bend = log ? Math.log10 : value => value;
    const X = step => frame.left + (step / this.end) * frame.width;
    const Y = value => frame.top + frame.height - pad
      - ((bend(value) - bend(low)) / (bend(high) - bend(low))) * (frame.height - 2 * pad);
    return { frame, X, Y, low, high, log };
  }

  axes({ frame, X, Y, low, high, log }, chart) {
    const { pen, colour, family } = this.sheet, { left, top, width } = frame, bottom = top + frame.height;
    pen.font = `11px ${family}`;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    pen.lineWidth = 1;
    for (const tick of log ? logTicks(low, high, 5) : linearTicks(low, high, chart.pad ? 2 : 5)) {
      const y = Math.round(Y(tick)) + 0.5;
      if (y < top - 1 || y > bottom + 1) continue;
      this.sheet.line(left, y, left + width, y, colour.grid);
      pen.fillStyle = colour.soft;
      pen.fillText(tickLabel(tick, log), left - 7, y);
    }
    this.sheet.line(left, Math.round(bottom) + 0.5, left + width, Math.round(bottom) + 0.5, colour.axis);
    pen.textBaseline = "top";
    pen.fillText("step", left - 7, bottom + 6);
    pen.textAlign = "center";
    for (const tick of linearTicks(0, this.end, Math.max(2, width / 70))) {
      const x = Math.round(X(tick)) + 0.5;
      this.sheet.line(x, bottom, x, bottom + 4, colour.axis);
      if (this.hover === null || Math.abs(X(this.hover) - x) > 32) pen.fillText(String(tick), x, bottom + 6);
    }
  }

  reference({ frame: { left, top, width, height }, Y }, level) {
    const y = Y(level);
    if (y < top || y > top + height) return;
    this.sheet.pen.lineWidth = 1;
    this.sheet.line(left, Math.round(y) + 0.5, left + width, Math.round(y) + 0.5, this.sheet.colour.soft, [2, 3]);
  }

  // Ghosts below, the run on top; nothing leaves the frame.
  curves(plane, chart, run, pins) {
    const { pen, colour } = this.sheet, { left, top, width, height } = plane.frame;
    pen.save();
    pen.beginPath();
    pen.rect(left, top - 1, width + 1, height + 2);
    pen.clip();
    for (const pin of pins) {
      const meant = this.emphasis === pin.id;
      pen.globalAlpha = this.emphasis === null ? 0.75 : meant ? 1 : 0.25;
      drawCurve(this.sheet, plane, pin, chart.ghost(pin), { colour: pin.tint, width: meant ? 2 : 1.1 });
    }
    for (const curve of chart.curves) {
      pen.globalAlpha = this.emphasis === null ? 1 : 0.35;
      drawCurve(this.sheet, plane, run, curve.of(run), { ...curve, colour: colour[curve.colour] });
    }
    pen.restore();
  }

  crosshair({ frame, X, Y, low, high, log }, chart, run, row) {
    const { pen, colour, family } = this.sheet, x = X(run.step[row]), bottom = frame.top + frame.height;
    pen.lineWidth = 1;
    this.sheet.line(Math.round(x) + 0.5, frame.top, Math.round(x) + 0.5, bottom, colour.axis);
    for (const curve of chart.curves) {
      const value = curve.of(run)[row];
      if (!drawable(value, log) || value > high || value < low) continue;
      pen.fillStyle = colour[curve.colour];
      pen.strokeStyle = colour.ground;
      pen.lineWidth = 1.5;
      pen.beginPath();
      pen.arc(x, Y(value), 3.5, 0, 7);
      pen.fill();
      pen.stroke();
    }
    pen.font = `600 11px ${family}`;
    pen.fillStyle = colour.ink;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    pen.fillText(String(run.step[row]), x, bottom + 6);
  }
}
