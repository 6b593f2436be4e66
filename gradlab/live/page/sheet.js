// The canvas as a sheet of paper: its size and frames, the theme's colours, lines and words. Takes CHARTS from
// charts.js.

// spec.colours are those of the stored picture. The page needs the same hues lighter on a dark ground,
const DARK = { blue: "#56B4E9", vermillion: "#E9711C", green: "#1DB58C", purple: "#D68FB8" };
// and these two darker on a bright one: too pale for a thin line.
const LIGHT = { green: "#00845F", purple: "#B3628F" };

class Sheet {
  constructor(canvas, root, colours) {
    this.canvas = canvas;
    this.root = root;
    this.colours = colours;
    this.pen = canvas.getContext("2d");
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
    const dark = 0.3 * red + 0.59 * green + 0.11 * blue < 128;
    this.root.dataset.theme = dark ? "dark" : "light";
    this.colour = {
      ...this.colours, ...(dark ? DARK : LIGHT),
      ground: hex, ink: read("--gl-ink", "#222"), soft: read("--gl-soft", "#666"),
      grid: dark ? "rgba(255,255,255,.11)" : "rgba(0,0,0,.085)",
      axis: dark ? "rgba(255,255,255,.32)" : "rgba(0,0,0,.32)",
    };
    this.family = read("--gl-font", "system-ui, sans-serif");
  }

  // Sizes the canvas for a width in CSS pixels: two columns of frames, or one where it is narrow.
  fit(width) {
    const columns = width >= 620 ? 2 : 1, gap = columns === 2 ? 26 : 0, tall = columns === 2 ? 182 : 172;
    const wide = (width - gap * (columns - 1)) / columns;
    this.width = width;
    this.height = (4 / columns) * tall;
    this.frames = CHARTS.map((_, i) => ({
      left: (i % columns) * (wide + gap) + 38, top: Math.floor(i / columns) * tall + 25,
      width: wide - 38 - 13, height: tall - 25 - 25,
    }));
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
  }

  // The frame under a point, with the room around it that belongs to it.
  frameAt(x, y) {
    return this.frames?.find(f => x >= f.left - 6 && x <= f.left + f.width + 6 &&
      y >= f.top - 25 && y <= f.top + f.height + 25);
  }

  clear() {
    const pen = this.pen, ratio = this.canvas.width / this.width;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    pen.lineJoin = "round";
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

  // Words with a rim in the colour of the ground, so that they can be read on top of curves.
  rimmed(words, x, y, colour, rim) {
    const pen = this.pen;
    pen.lineWidth = rim;
    pen.strokeStyle = this.colour.ground;
    pen.fillStyle = colour;
    pen.strokeText(words, x, y);
    pen.fillText(words, x, y);
  }
}
