// The run in words: as a table and as a sentence. Takes WINDOW from data.js, `say` and `plain` from numbers.js, `make`
// from controls.js.

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
  return `Four charts. ${status}. Step ${run.step[i]}: loss ${say(run.loss[i])}; ` +
    `gradient norm ${say(run.norm_before[i])} before and ${say(run.norm_after[i])} after clipping, ` +
    `threshold ${limit(run, i)}; ` +
    `${Math.round(run.share[i])} % of the last ${WINDOW} steps clipped; ` +
    `log10 of update over parameter ${say(run.update[i])}.` +
    (pins.length ? ` Pinned runs: ${pins.map(pin => `${pin.number}, ${pin.label}`).join("; ")}.` : "");
}
