// The points of a sketch, and the hands that set them. Takes nothing from other files.

const NUDGE = 1 / 40; // of the frame's height, for one press of an arrow key

class Stroke {
  constructor(count) {
    this.count = count;
    this.clear();
  }

  clear() {
    this.heights = Array(this.count).fill(null); // null where nothing is drawn
    this.from = null;
  }

  get drawn() { return this.heights.filter(height => height !== null).length; }

  // A pointer at a place among the points (a real number) and a height: it sets every point that it passes.
  begin({ place, height }) {
    this.from = { place, height, turned: false };
    this.heights[Math.round(place)] = height;
  }

  move({ place, height }) {
    const from = this.from;
    if (!from) return;
    const [left, right] = from.place <= place ? [from, { place, height }] : [{ place, height }, from];
    for (let i = Math.ceil(left.place); i <= right.place; i++) {
      const share = right.place === left.place ? 1 : (i - left.place) / (right.place - left.place);
      this.heights[i] = left.height + share * (right.height - left.height);
      from.turned = true;
    }
    const near = Math.round(place);
    if (!from.turned) this.heights[near] = height; // up and down at one point
    this.from = { place, height, turned: from.turned };
  }

  end() { this.from = null; }

  // Where a point is, or where it would begin: at the height of its nearest neighbour, or in the middle.
  height(i) {
    const near = this.heights.map((height, at) => ({ height, far: Math.abs(at - i) }))
      .filter(each => each.height !== null).sort((one, other) => one.far - other.far)[0];
    return near ? near.height : 0.5;
  }

  // A key at point i; gives the point that has the focus afterwards, or null if the key means nothing here.
  key(name, i) {
    const by = { ArrowUp: NUDGE, ArrowDown: -NUDGE, PageUp: 5 * NUDGE, PageDown: -5 * NUDGE, " ": 0, Enter: 0 }[name];
    const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: this.count - 1 }[name];
    if (by !== undefined) this.heights[i] = Math.min(1, Math.max(0, this.height(i) + by));
    else if (name === "Delete" || name === "Backspace") this.heights[i] = null;
    else if (to === undefined) return null;
    return Math.min(this.count - 1, Math.max(0, to ?? i));
  }
}
