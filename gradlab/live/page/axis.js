// Where an axis begins and ends, and where its ticks stand. Takes nothing from other files.

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
