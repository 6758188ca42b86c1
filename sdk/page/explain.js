// Loads the second module, only with `debug: true`. The import names a file, not a package: if it named a package, bundlers
// that produce a single file would put the module's 160 KB on every page. Vite, webpack and Next.js know this form of an import
// and keep the file separate. With other bundlers, the shop must copy the file beside the bundle.

export const explain = async () =>
  import(/* webpackIgnore: true */ /* @vite-ignore */ new URL('./debug.js', import.meta.url).href)

export const unexplained = (error) =>
  console.warn('[duet] debug.js must lie beside this script', error)
