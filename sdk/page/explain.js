// The second module, which only `debug: true` loads, is found by its address and not by its name: bundlers that make one
// file of everything would put its 160 KB on every page. Vite, webpack and Next.js know this form and keep the file;
// for other bundlers it is copied beside the bundle.

export const explain = async () =>
  import(/* webpackIgnore: true */ /* @vite-ignore */ new URL('./debug.js', import.meta.url).href)

export const unexplained = (error) =>
  console.warn('[duet] debug.js must lie beside this script', error)
