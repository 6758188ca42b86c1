// Where the demo's own proxy and TikTok stand-in listen. A real shop has no such file: its pixel code is
// a constant, its proxy answers under its own address, and TikTok's script comes from TikTok.

export const settings = fetch('/duet-dev.json')
  .then((answer) => (answer.ok ? answer.json() : null))
  .catch(() => null);
