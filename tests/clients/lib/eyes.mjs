// What a page is judged by. Each of these runs in the page, and so stands for itself.

/** Controls that nobody can call by a name. */
export function namelessControls() {
  const named = (e) =>
    e.getAttribute('aria-label') ||
    e.labels?.[0]?.textContent.trim() ||
    (!e.matches('input,select,textarea') && e.textContent.trim());
  return [...document.querySelectorAll('button, a, input, select, textarea, summary')]
    .filter((e) => !named(e))
    .map((e) => e.outerHTML);
}

/** Ids that stand twice. */
export function repeatedIds() {
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}

/** Texts that stand out from their background by less than WCAG 2.2 §1.4.3 asks. */
export function faintTexts() {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgb = (color, under) => {
    canvas.fillStyle = under;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (parts) => {
    const [r, g, b] = parts.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
    return layers.reduce((under, layer) => `rgb(${rgb(layer, under)})`, 'white');
  };
  const faint = [];
  for (const e of document.querySelectorAll('body *')) {
    const ownText = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!ownText || !e.checkVisibility() || e.closest(':disabled, .hidden, .skip')) continue;
    const under = behind(e);
    const [a, b] = [light(rgb(getComputedStyle(e).color, under)), light(rgb(under, 'white'))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${e.tagName}.${e.className} ${e.textContent.slice(0, 30)}`);
  }
  return faint;
}
