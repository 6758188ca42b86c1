// Tests environments without a page (test runners, Node, workers), and bundlers that write a single file.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { freePort, startStack } from '../browser/stack.mjs'
import { until } from '../browser/until.mjs'
import { builds, documented, esbuilt, fresh, guide, here, install, nextRun } from './built.mjs'

const app = join(here, 'app')

before(() => install())

const node = (words, options) =>
  execFileSync(process.execPath, words, { cwd: here, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options })

for (const [runner, environment] of [
  ['jest', 'node'],
  ['jest', 'jest-environment-jsdom'],
  ['jest-29', 'jest-environment-jsdom-29'],
  ['jest-27', 'jest-environment-jsdom-27'],
]) {
  test(`every call does nothing and answers with an id under ${runner}, ${environment}`, () => {
    const config = { rootDir: join(here, 'without_a_page'), testMatch: ['**/*.spec.cjs'], moduleFileExtensions: ['cjs', 'js', 'json'] }
    const words = ['--ci', '--watchman=false', '--env', environment, '--config', JSON.stringify(config)]
    node([join(here, 'node_modules', runner, 'bin/jest.js'), ...words])
  })
}

for (const environment of ['node', 'jsdom']) {
  test(`every call does nothing and answers with an id under Vitest, ${environment}`, () => {
    const words = ['run', 'without_a_page/calls.spec.mjs', '--environment', environment, '--no-cache']
    node([join(here, 'node_modules/vitest/vitest.mjs'), ...words])
  })
}

test('CommonJS and ESM answer with the same ids', () => {
  const call = `duet.eventIdFor('Subscribe', 'PHO7K3M9Q2X')`
  const required = node(['-e', `const duet = require('duet-sdk'); console.log(${call})`])
  assert.equal(node(['-e', `const duet = require('duet-sdk/external'); console.log(${call})`]), required)
  const imported = node(['--input-type=module', '-e', `import * as duet from 'duet-sdk'; console.log(${call})`])
  assert.equal(required.trim(), '8dfcc057-77d8-88a5-b01a-e0d0586f4129')
  assert.equal(imported, required)
})

/** Returns how many bytes a page loads for a built file, compressed with gzip. */
const gzipped = (file) => gzipSync(readFileSync(file)).length

// The limit of the SDK with its fallback and the app around it. With debug.js, the file would have more than 200,000 bytes.
const ONE_FILE_BYTES = 28_500

test('esbuild without splitting makes one file, and debug.js is not in it', async () => {
  for (const format of ['esm', 'iife']) {
    const folder = fresh(`one-file-${format}`)
    const { warnings } = await esbuilt(folder, { format })
    assert.deepEqual(warnings, [])
    assert.deepEqual(readdirSync(folder), ['main.js'])
    const bytes = gzipped(join(folder, 'main.js'))
    assert.ok(bytes < ONE_FILE_BYTES, `${format}: the file must be smaller than ${ONE_FILE_BYTES} bytes, got ${bytes}`)
  }
})

test('Bun makes one file, and debug.js is not in it', { skip: !builds.Bun && 'Bun is not installed on this platform' }, async () => {
  const folder = await builds.Bun()
  const bytes = gzipped(join(folder, 'main.js'))
  assert.ok(bytes < ONE_FILE_BYTES, `${bytes} bytes`)
})

test('Vite keeps debug.js out of a worker', async () => {
  const { build } = await import('vite')
  const folder = fresh('vite-worker')
  await build({ root: join(here, 'workers'), configFile: false, logLevel: 'warn', build: { outDir: folder, emptyOutDir: true } })
  const assets = readdirSync(join(folder, 'assets'))
  const worker = assets.find((name) => /^context-.*\.js$/.test(name))
  assert.ok(worker, assets.join())
  const bytes = gzipped(join(folder, 'assets', worker))
  assert.ok(bytes < ONE_FILE_BYTES, `${bytes} bytes`)
})

test('webpack takes the page’s file for a window of Electron, and the other one for a worker', async () => {
  const { default: webpack } = await import('webpack')
  for (const [target, hasPage] of [['electron-renderer', true], ['electron-preload', true], ['webworker', false], ['node', false]]) {
    const folder = fresh(`webpack-${target}`)
    const output = { path: folder, filename: 'main.js', publicPath: './' }
    const stats = await new Promise((resolve, reject) => {
      webpack({ mode: 'production', target, context: app, entry: './main.js', output }, (error, stats) => (error ? reject(error) : resolve(stats)))
    })
    assert.ok(!stats.hasErrors(), stats.toString())
    assert.equal(readFileSync(join(folder, 'main.js'), 'utf8').includes('sendBeacon'), hasPage, target)
    rmSync(folder, { recursive: true })
  }
})

// Types of the environment as strict projects declare them, and a page's code with values that may be missing.
const STRICT = `
interface ImportMetaEnv { readonly VITE_TIKTOK_PIXEL_ID?: string }
interface ImportMeta { readonly env: ImportMetaEnv }
`
const PERSON = `
import { identify, trackServerViewContent } from 'duet-sdk';
declare const people: { email?: string; phone: string | undefined }[];
identify({ email: people[0]?.email, phone: people[0]?.phone });
trackServerViewContent({ contentId: 'pro', contentName: 'Pro', value: undefined }, { user: { email: people[0]?.email } });
`

test('the documented files of Next.js and Vite compile in the strictest mode of TypeScript', () => {
  const folder = join(here, 'guide/strict')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  writeFileSync(join(folder, 'tracking.tsx'), documented('app/tracking.tsx'))
  writeFileSync(join(folder, 'main.ts'), documented('main.js'))
  writeFileSync(join(folder, 'environment.d.ts'), STRICT)
  writeFileSync(join(folder, 'person.ts'), PERSON)
  const words = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noEmit', '--jsx', 'preserve']
  const target = ['--target', 'esnext', '--module', 'esnext', '--moduleResolution', 'bundler', '--types', 'node']
  const files = ['tracking.tsx', 'main.ts', 'environment.d.ts', 'person.ts'].map((name) => join(folder, name))
  try {
    execFileSync(join(here, 'node_modules/.bin/tsc'), [...words, ...target, ...files], { cwd: here, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    assert.fail(error.stdout)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** Posts an event to a development server as a page at `origin` does. Returns the answer of the proxy behind it. */
async function reported(origin) {
  const headers = { origin, 'content-type': 'text/plain' }
  const body = JSON.stringify({ event: 'ViewContent', event_id: randomUUID() })
  const answer = await fetch(`${origin}/api/analytics/tiktok/track`, { method: 'POST', headers, body })
  return answer.json()
}

// Each function starts a development server as the guide describes, and returns a function that stops the server.
const servers = {
  async 'Next.js'(port, proxy) {
    const folder = await guide(proxy)
    const { child, output } = nextRun(['start', '--hostname', '127.0.0.1', '--port', `${port}`], {}, folder)
    await until('Next.js listens', () => output.text.includes('Ready'), { found: () => output.text })
    return () => child.kill('SIGTERM')
  },
  async Vite(port, proxy) {
    const { createServer } = await import('vite')
    const { server } = await config('vite.config.js', proxy)
    const vite = await createServer({ root: app, configFile: false, logLevel: 'warn', server: { ...server, port, host: '127.0.0.1' } })
    await vite.listen()
    return () => vite.close()
  },
  async webpack(port, proxy) {
    const { default: webpack } = await import('webpack')
    const { default: Server } = await import('webpack-dev-server')
    const { devServer } = await config('webpack.config.js', proxy)
    const compiler = webpack({ mode: 'development', context: app, entry: './main.js', stats: 'none', infrastructureLogging: { level: 'none' } })
    const server = new Server({ ...devServer, port, host: '127.0.0.1' }, compiler)
    await server.start()
    return () => server.stop()
  },
  async Nitro(port, proxy) {
    const { build, createDevServer, createNitro, prepare } = await import('nitropack')
    globalThis.defineNuxtConfig = (config) => config
    const { routeRules } = await config('nuxt.config.js', proxy)
    const nitro = await createNitro({ dev: true, rootDir: fresh('nitro'), routeRules, logLevel: 1 })
    const server = createDevServer(nitro)
    await server.listen(port, { hostname: '127.0.0.1' })
    await prepare(nitro)
    await build(nitro)
    return async () => {
      await server.close()
      await nitro.close()
    }
  },
}

/** Returns the configuration in a file of the guide, with the address of this test's proxy. */
const config = async (file, proxy) => {
  const code = documented(file).replaceAll('http://127.0.0.1:8787', proxy)
  return (await import(`data:text/javascript,${encodeURIComponent(code)}`)).default
}

for (const [name, serve] of Object.entries(servers)) {
  test(`the guide's development server passes events on: ${name}`, async () => {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const stack = await startStack(() => (name === 'Vite' ? {} : { DUET_ALLOWED_ORIGINS: origin }))
    const stop = await serve(port, stack.url)
    try {
      let answer
      const accepted = async () => (answer = await reported(origin)).success
      await until('the event is accepted', accepted, { found: () => answer })
    } finally {
      await stop()
      await stack.stop()
    }
  })
}
