// Curves, and what is marked on them. Takes `drawable` from axis.js and a Sheet to draw on.
//
// A plane is one chart's frame with its scales: { frame, X, Y, low, high, log }, X and Y from numbers to pixels.

// One polyline with gaps at non-finite values. Where there are more points than pixels, a column of pixels shows
// its lowest and highest value, so that no spike is lost.
function drawCurve(sheet, { frame, X, Y, log }, run, values, { colour, width, dash = [], stairs = false }) {
  const pen = sheet.pen, dense = values.length > 2 * frame.width && !stairs;
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

function lastDrawable(values, log) {
  for (let i = values.length - 1; i >= 0; i--) if (drawable(values[i], log)) return i;
  return -1;
}

// A pinned run's number at the end of its curve; numbers that would cover one another stand side by side.
// taken: the places of the numbers so far, to which this one adds its own.
function markGhost(sheet, { frame, X, Y, log }, pin, values, taken) {
  const i = lastDrawable(values, log);
  if (i < 0) return;
  let x = X(pin.step[i]);
  const y = Math.max(frame.top + 4, Math.min(frame.top + frame.height - 5, Y(values[i])));
  while (taken.some(([tx, ty]) => Math.abs(tx - x) < 10 && Math.abs(ty - y) < 11)) x += 10;
  taken.push([x, y]);
  const pen = sheet.pen;
  pen.font = `600 10.5px ${sheet.family}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  sheet.rimmed((pin.diverged !== null ? "×" : "") + pin.number, x + 4, y, pin.tint, 3);
}

// Small triangles under the top edge where a curve has left the chart.
function markOffChart(sheet, { frame, X, high }, run, values, colour) {
  const pen = sheet.pen, top = frame.top;
  let last = -Infinity, outside = false;
  for (let i = 0; i < values.length; i++) {
    const left = outside;
    outside = values[i] > high + 1e-9 * Math.abs(high);
    const x = X(run.step[i]);
    if (!outside || left || x - last < 14) continue;
    last = x;
    pen.fillStyle = colour;
    pen.beginPath();
    pen.moveTo(x - 4, top + 6);
    pen.lineTo(x + 4, top + 6);
    pen.lineTo(x, top - 1);
    pen.fill();
  }
}

// A line and a cross at the step where the run diverged.
function markDivergence(sheet, { frame, X }, step, words) {
  const pen = sheet.pen, red = sheet.colour.vermillion, x = X(step), y = frame.top + frame.height / 2;
  pen.lineWidth = 1.25;
  sheet.line(x, frame.top, x, frame.top + frame.height, red, [2, 2]);
  pen.lineWidth = 2;
  sheet.line(x - 4, y - 4, x + 4, y + 4, red);
  sheet.line(x - 4, y + 4, x + 4, y - 4, red);
  const right = x < frame.left + frame.width * 0.7; // the side with room for the words
  pen.font = `600 11px ${sheet.family}`;
  pen.textAlign = right ? "left" : "right";
  pen.textBaseline = "middle";
  sheet.rimmed(words, x + (right ? 9 : -9), y, red, 4);
}
