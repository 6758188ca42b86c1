// Finds text that is hard to read: its contrast is below 4.5 to 1, the least contrast that WCAG 2 allows for body text.

/** Returns the visible texts of a page with too little contrast, in its light and in its dark colours. */
export async function faint(page) {
  const found = [];
  for (const value of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
    found.push(...(await page.evaluate(look, value)));
  }
  await page.emulateMediaFeatures([]);
  return found;
}

function look(scheme) {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const opaque = (color) => (channels(color)[3] ?? 1) > 0;
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((byte) => (byte <= 10 ? byte / 3294.6 : ((byte / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (opaque(color)) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
  return [...document.body.querySelectorAll('*')]
    .filter((element) => element.checkVisibility() && (hasText(element) || element.matches('input, select')))
    .map((element) => {
      const [dark, light] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((one, other) => one - other);
      return { scheme, text: element.textContent.trim().slice(0, 30), contrast: (light + 0.05) / (dark + 0.05) };
    })
    .filter(({ contrast }) => contrast < 4.5);
}
