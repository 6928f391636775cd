// Returns the texts on the page whose contrast is below WCAG 2.2 AA (1.4.3), as [text, contrast].
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, index) => (value * a + below[index] * (255 - a)) / 255);
  const backs = (element) => {
    const found = [];
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3]) found.push(color);
      if (color[3] === 255) break;
      if (at.localName === "dialog") break;
    }
    return found.reverse().reduce((below, color) => over(color, below), [255, 255, 255]);
  };
  const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility() || element.closest(":disabled, .hidden, option")) continue;
    const style = getComputedStyle(element);
    const below = backs(element);
    const [one, two] = [light(over(rgba(style.color), below)), light(below)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (two + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (contrast < (large ? 3 : 4.5)) bad.push([text.slice(0, 60), Math.round(contrast * 100) / 100]);
  }
  return bad;
})();
