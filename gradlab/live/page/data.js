// Runs, as columns of numbers that grow while the kernel trains. Takes nothing from other files.

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
