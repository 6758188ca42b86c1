// Loads the second module, only with `debug: true`. The address is a file, not a package name. Otherwise bundlers that produce
// a single file would put its 160 KB on every page. Vite, webpack and Next.js know this form and keep the file separate. For
// other bundlers, copy the file beside the bundle.

export const explain = async () =>
  import(/* webpackIgnore: true */ /* @vite-ignore */ new URL('./debug.js', import.meta.url).href)

export const unexplained = (error) =>
  console.warn('[duet] debug.js must lie beside this script', error)
