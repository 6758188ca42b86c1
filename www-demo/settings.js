// The addresses of the demo's proxy and of the fake TikTok. A real shop does not need this file: the shop's pixel code is a
// constant, the proxy has the shop's own address, and the Pixel's script comes from TikTok.

export const settings = fetch('/duet-dev.json')
  .then((answer) => (answer.ok ? answer.json() : null))
  .catch(() => null);
