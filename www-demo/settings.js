// The addresses of the demo's proxy and of its replacement for TikTok. A real shop does not need this file. Its pixel code
// is a constant, its proxy uses the shop's own address, and TikTok's script comes from TikTok.

export const settings = fetch('/duet-dev.json')
  .then((answer) => (answer.ok ? answer.json() : null))
  .catch(() => null);
