// What the four charts show, and within which limits. Takes WINDOW from data.js, limits and steps from axis.js.
//
// A curve's colour is a name that sheet.js turns into the theme's colour.

const CHARTS = [
  {
    title: "Loss", unit: "nats per character",
    reference: { name: "lowest on average", short: "lowest", of: spec => spec.floor },
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
    title: "Update size", unit: "log10 of update / parameter",
    reference: { name: "one thousandth", short: "1/1000", of: () => -3 }, // to read the scale by, and no target
    curves: [{ name: "log10", of: run => run.update, colour: "green", width: 1.6 }],
    ghost: run => run.update,
    limits(runs) {
      const [low, high] = extent(runs.map(run => run.update));
      return [Math.max(-9, Math.floor(Math.min(-4, low))), Math.min(3, Math.ceil(Math.max(-1, high)))];
    },
  },
];
