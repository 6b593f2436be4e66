// Numbers as a person would write them: in legends and sentences, in inputs, on axes. Takes nothing from other files.

// Three digits.
function say(value) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e4 || size < 1e-3 ? value.toExponential(1).replace("e+", "e")
    : size >= 1e3 ? value.toFixed(0) : value.toPrecision(3);
  return text.replace("-", "−");
}

// A setting: all the digits that somebody may have typed.
const plain = value => (value === null || value === undefined ? "off" : String(+(+value).toPrecision(6)));

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function tickLabel(value, log) {
  const exponent = Math.round(Math.log10(Math.abs(value)));
  if (log && (exponent >= 4 || exponent <= -4) && Math.abs(value - 10 ** exponent) < 1e-9 * 10 ** exponent)
    return "10" + (exponent < 0 ? "⁻" : "") + [...String(Math.abs(exponent))].map(d => SUPERSCRIPT[d]).join("");
  return String(value).replace("-", "−");
}
