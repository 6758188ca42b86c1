// Installs the package as npm does, and builds it with each bundler. No bundler gets a setting for the SDK.

import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

export const here = import.meta.dirname
const root = resolve(here, '../..')
const app = join(here, 'app')
const next = join(here, 'next')
const out = join(root, 'target/bundlers')

/** Returns the path of the archive that a release would publish. */
export const archive = () => {
  const npm = process.env.DUET_NPM ?? join(root, 'target/npm')
  const name = readdirSync(npm).find((file) => /^duet-sdk-.*\.tgz$/.test(file))
  if (!name) throw new Error(`${npm} has no archive of duet-sdk; build it with cargo xtask sdk`)
  return join(npm, name)
}

/** Unpacks the archive into `folder`. By default, this is the folder in which the bundlers look for the package. */
export const install = (folder = join(here, 'node_modules/duet-sdk')) => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  execFileSync('tar', ['-xzf', archive(), '-C', folder, '--strip-components=1'])
  return folder
}

/** Returns an empty folder for the output of a bundler. */
export const fresh = (name) => {
  const folder = join(out, name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}

/**
 * Returns a function that builds a site: an empty folder with the page `index.html`, to which `bundle` adds the script
 * `main.js`.
 */
const scripted = (name, bundle) => async () => {
  const folder = fresh(name)
  cpSync(join(app, 'index.html'), join(folder, 'index.html'))
  await bundle(folder)
  return folder
}

/**
 * Copies files of the package beside the script. The documentation asks for these files if a bundler does not resolve the
 * address of a file beside a module.
 */
const copied = (folder, names) => {
  for (const name of names) cpSync(join(here, 'node_modules/duet-sdk', name), join(folder, name))
}

const EXTERNAL = 'duet-sdk/external'

async function rolled(output, more = []) {
  const { rollup } = await import('rollup')
  const { default: nodeResolve } = await import('@rollup/plugin-node-resolve')
  const warnings = []
  const plugins = [...more, nodeResolve({ browser: true })]
  const bundle = await rollup({ input: join(app, 'main.js'), plugins, onwarn: (warning) => warnings.push(warning) })
  await bundle.write(output)
  if (warnings.length) throw new Error(warnings.join('\n'))
}

/** Bundles with esbuild. As on esbuild's command line, warnings about packages are left out. */
export async function esbuilt(outdir, options) {
  const { build } = await import('esbuild')
  return build({ entryPoints: [join(app, 'main.js')], outdir, bundle: true, minify: true, logLevel: 'silent', ...options })
}

/** Each function builds a site and returns its folder. */
export const builds = {
  async 'Vite build'() {
    const { build } = await import('vite')
    const folder = fresh('vite')
    await build({ root: app, configFile: false, logLevel: 'warn', build: { outDir: folder, emptyOutDir: true } })
    return folder
  },
  'webpack 5': scripted('webpack', async (folder) => {
    const { default: webpack } = await import('webpack')
    const output = { path: folder, filename: 'main.js', publicPath: 'auto' }
    const stats = await new Promise((resolve, reject) => {
      webpack({ mode: 'production', context: app, entry: './main.js', output }, (error, stats) =>
        error ? reject(error) : resolve(stats),
      )
    })
    if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString())
  }),
  Rollup: scripted('rollup', (dir) => rolled({ dir, format: 'es' })),
  'Rollup into one file': scripted('rollup-iife', (dir) => rolled({ dir, format: 'iife', inlineDynamicImports: true })),
  esbuild: scripted('esbuild', (folder) => esbuilt(folder, { format: 'esm', splitting: true, logLevel: 'warning' })),
  'esbuild into one file': scripted('esbuild-iife', (folder) => esbuilt(folder, { format: 'iife' })),
  'duet-sdk/external, Rollup': scripted('rollup-external', async (dir) => {
    const plugin = {
      name: 'external',
      resolveId(id, importer) {
        return id === 'duet-sdk' ? this.resolve(EXTERNAL, importer) : null
      },
    }
    await rolled({ dir, format: 'es' }, [plugin])
    copied(dir, ['duet.wasm', 'debug.js'])
  }),
  'duet-sdk/external, esbuild': scripted('esbuild-external', async (folder) => {
    await esbuilt(folder, { format: 'esm', splitting: true, alias: { 'duet-sdk': EXTERNAL } })
    copied(folder, ['duet.wasm', 'debug.js'])
  }),
  'a plain module script': scripted('plain', async (folder) => {
    cpSync(join(app, 'main.js'), join(folder, 'main.js'))
    cpSync(join(here, 'node_modules/duet-sdk'), join(folder, 'duet-sdk'), { recursive: true })
  }),
  async 'Next.js, webpack, static export'() {
    await nextBuild(['--webpack'], { EXPORT: '1' })
    return join(next, 'export')
  },
}

/** Bundles with Bun. npm has a separate package with Bun's program for each platform. */
const BUN = join(here, `node_modules/@oven/bun-${process.platform}-${process.arch}/bin/bun`)
const bunned = (folder) => execFileSync(BUN, ['build', join(app, 'main.js'), '--outdir', folder, '--minify', '--target', 'browser'])
if (existsSync(BUN)) builds.Bun = scripted('bun', bunned)

/** Returns the code block of `docs/integrate.md` whose first line is a comment with this file name. */
export const documented = (file) => {
  const guide = readFileSync(join(root, 'docs/integrate.md'), 'utf8')
  const blocks = [...guide.matchAll(/```\w+\n(\/\/ (\S+).*\n[^]*?)```/g)]
  const found = blocks.find(([, , name]) => name.replace(/[;,]$/, '') === file)
  if (!found) throw new Error(`docs/integrate.md must have a code block that begins with a comment with the name ${file}`)
  return found[1]
}

/** Builds a page with React's development build. Only this build mounts every component twice. */
export const strictMode = async () => {
  const { build } = await import('esbuild')
  const folder = fresh('strict')
  cpSync(join(here, 'strict/index.html'), join(folder, 'index.html'))
  // The component comes from the documentation.
  writeFileSync(join(here, 'strict/product.jsx'), documented('product.jsx'))
  const define = { 'process.env.NODE_ENV': '"development"' }
  const options = { bundle: true, format: 'esm', splitting: true, jsx: 'automatic', define, logLevel: 'warning' }
  await build({ entryPoints: [join(here, 'strict/main.jsx')], outdir: folder, ...options })
  return folder
}

/** Builds one script that runs in every kind of worker. */
export const workers = async () => {
  const { build } = await import('esbuild')
  const folder = fresh('workers')
  for (const name of ['index.html', 'main.js']) cpSync(join(here, 'workers', name), join(folder, name))
  const options = { bundle: true, format: 'esm', logLevel: 'warning' }
  await build({ entryPoints: [join(here, 'workers/context.js')], outdir: folder, ...options })
  return folder
}

/** Builds the Next.js application of the documentation, with the options of a new application. Its proxy is at `proxy`. */
export const guide = async (proxy) => {
  const folder = join(here, 'guide')
  writeFileSync(join(folder, 'app/tracking.tsx'), documented('app/tracking.tsx'))
  const config = documented('next.config.mjs').replaceAll('http://127.0.0.1:8787', proxy)
  const modern = config.replace('export default {', 'export default {\n  cacheComponents: true,')
  writeFileSync(join(folder, 'next.config.mjs'), modern)
  await nextBuild([], {}, folder)
  return folder
}

export const nextBuild = (options, env, folder = next) => {
  rmSync(join(folder, '.next'), { recursive: true, force: true })
  const { child, output } = nextRun(['build', ...options], env, folder)
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(output.text))))
  })
}

/** Runs Next.js. */
export const nextRun = (words, env = {}, folder = next) => {
  const program = join(here, 'node_modules/next/dist/bin/next')
  if (!existsSync(dirname(program))) throw new Error('Next.js is not installed; run npm ci in tests/bundlers')
  const child = spawn(process.execPath, [program, ...words], {
    cwd: folder,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { text: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output.text += text
    })
  }
  return { child, output }
}
