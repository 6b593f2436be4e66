// What surrounds a view: the theme, the width, JupyterLab's keys. Takes nothing from other files.

// Says in data-theme whether the ground is dark and in data-narrow whether the place is narrow; gives what ends it.
function followPage(root, resized) {
  const pen = document.createElement("canvas").getContext("2d");
  const read = () => {
    pen.fillStyle = "#ffffff";
    pen.fillStyle = getComputedStyle(root).getPropertyValue("--gl-ground").trim();
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
    root.dataset.theme = 0.3 * red + 0.59 * green + 0.11 * blue < 128 ? "dark" : "light";
  };
  const reread = () => { // a theme's style sheet may arrive after the attribute that announces it
    for (const wait of [0, 150, 600]) setTimeout(read, wait);
  };
  const themes = new MutationObserver(reread);
  themes.observe(document.body, { attributes: true,
    attributeFilter: ["data-jp-theme-name", "data-jp-theme-light", "class"] });
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  night.addEventListener("change", reread);
  const sizes = new ResizeObserver(() => {
    if (!root.clientWidth) return;
    root.dataset.narrow = String(root.clientWidth < 480);
    resized();
  });
  sizes.observe(root);
  reread();
  return () => {
    themes.disconnect();
    night.removeEventListener("change", reread);
    sizes.disconnect();
  };
}

// JupyterLab listens at the document, before the view: in its command mode it would take arrow keys and letters for
// itself. So all keys end here, except those with Ctrl or Cmd (save, copy); press: called with them.
function keepKeys(root, press) {
  const keys = event => {
    if (!root.contains(event.target) || event.ctrlKey || event.metaKey) return;
    event.stopPropagation();
    press(event);
  };
  window.addEventListener("keydown", keys, true);
  return () => window.removeEventListener("keydown", keys, true);
}
