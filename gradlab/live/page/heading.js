// A chart's heading: title and unit at the left, at the right a legend that also shows numbers. Takes `say` and `plain`
// from numbers.js and a Sheet to draw on.

const LEGEND = { key: 14, gap: 10, value: 36 }; // widths in pixels

// row: the row of the run whose numbers are shown, -1 for none; level: the chart's reference line or null.
function drawHeading(sheet, chart, frame, run, row, level) {
  const pen = sheet.pen, base = frame.top - 12;
  pen.textBaseline = "alphabetic";
  pen.textAlign = "left";
  pen.font = `600 12.5px ${sheet.family}`;
  pen.fillStyle = sheet.colour.ink;
  const left = frame.left - 38;
  const title = frame.width < 300 ? chart.title.split(" ")[0] : chart.title;
  pen.fillText(title, left, base);
  const used = left + pen.measureText(title).width + 7;
  pen.font = `11.5px ${sheet.family}`;
  const unit = pen.measureText(chart.unit).width;
  const right = frame.left + frame.width + 8;
  const [entries, valued, told] = legend(pen, chart, level, unit, right - used);
  if (told) {
    pen.fillStyle = sheet.colour.soft;
    pen.fillText(chart.unit, used, base);
  }
  let x = right;
  for (const entry of [...entries].reverse()) { // from the right end
    if (valued(entry)) {
      x -= LEGEND.value;
      pen.font = `600 11.5px ${sheet.family}`;
      pen.fillStyle = sheet.colour.ink;
      pen.fillText(legendValue(chart, entry, run, row), x, base);
      pen.font = `11.5px ${sheet.family}`;
    }
    const name = nameWidth(pen, chart, entry);
    x -= name;
    pen.fillStyle = sheet.colour.soft;
    if (name) pen.fillText(entry.name, x, base);
    x -= LEGEND.key + 5;
    pen.lineWidth = entry.width;
    sheet.line(x, base - 4, x + LEGEND.key, base - 4, sheet.colour[entry.colour], entry.dash);
    x -= LEGEND.gap;
  }
}

function legendValue(chart, entry, run, row) {
  if (entry.constant !== undefined) return plain(entry.constant.toPrecision(3)).replace("-", "−");
  if (row < 0) return "–";
  const value = entry.of(run)[row];
  if (entry.stairs) return value === Infinity ? "off" : plain(value);
  return chart.pad ? `${Math.round(value)} %` : say(value);
}

function nameWidth(pen, chart, entry) { // a chart's only curve needs no name
  return chart.curves.length > 1 || entry.constant !== undefined ? pen.measureText(entry.name).width + 5 : 0;
}

// What the legend can afford in so many pixels: [its entries, which of them show numbers, whether the unit is told].
function legend(pen, chart, level, unit, pixels) {
  const line = name => ({ name, constant: level, colour: "soft", width: 1, dash: [2, 3] });
  const [all, brief] = ["name", "short"].map(form =>
    (level === null ? chart.curves : [...chart.curves, line(chart.reference[form])]));
  const width = (entries, valued) => entries.reduce((sum, entry) => sum + LEGEND.gap + LEGEND.key + 5
    + nameWidth(pen, chart, entry) + (valued(entry) ? LEGEND.value : 0), -LEGEND.gap);
  return [
    [all, () => true, true],
    [all, entry => entry.constant === undefined, true], // the axis tells that number as well
    [brief, entry => entry.constant === undefined, true],
    [chart.curves, () => true, true],
    [chart.curves, curve => !curve.stairs, true], // the slider tells the threshold
    [chart.curves, () => false, true],
    [chart.curves, () => true, false],
    [chart.curves, () => false, false],
  ].find(([entries, valued, told], i) => i === 7 || (told ? unit : 0) + width(entries, valued) < pixels);
}
