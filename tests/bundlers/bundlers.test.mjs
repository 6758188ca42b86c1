// The package works with every common bundler without a setting. Each test builds a page, opens it in Chromium, and waits
// until both legs of its event have reached the sandbox.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { launch, visitor } from '../browser/browser.mjs'
import { eventsIn, freePort, startStack } from '../browser/stack.mjs'
import { listen, pass } from '../browser/tap.mjs'
import { until } from '../browser/until.mjs'
import { builds, here, install, nextBuild, nextRun, strictMode, workers } from './built.mjs'

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.json': 'application/json' }
let stack
let browser

before(async () => {
  install()
  stack = await startStack()
  browser = await launch('chromium')
})
after(async () => {
  await browser?.close()
  await stack?.stop()
})

/** Starts a site. The site passes requests below `/api/` on to the proxy, and `others` answers all other requests. */
const site = (others) =>
  listen((incoming, outgoing) =>
    incoming.url.startsWith('/api/')
      ? pass(incoming, outgoing, stack.proxy.port, stack.site.log)
      : others(incoming, outgoing),
  )

/** The paths of the files that pages requested and that do not exist. */
const absent = []

const files = (folder) => async (incoming, outgoing) => {
  const { pathname } = new URL(incoming.url, 'http://site')
  const path = pathname.endsWith('/') ? pathname + 'index.html' : pathname
  try {
    let content = await readFile(join(folder, path))
    if (path === '/index.html' && folder.endsWith('plain')) {
      const map = '<script type="importmap">{ "imports": { "duet-sdk": "/duet-sdk/index.js" } }</script>'
      content = content.toString().replace('<script', map + '<script')
    }
    outgoing.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(content)
  } catch {
    absent.push(pathname)
    outgoing.writeHead(404).end()
  }
}

const EXPLAINED = 'the proxy is healthy'

/**
 * Opens the page with `debug: true`. Waits until both legs of the page's event have arrived and the console says
 * `explained`. Then calls `look` on the page and returns its result.
 */
async function opened(url, { look = () => {}, explained = EXPLAINED } = {}) {
  const one = await visitor(browser)
  try {
    const page = await one.page()
    const lines = []
    page.on('console', (message) => lines.push(message.text()))
    const order = `ORDER${Date.now()}`
    await page.evaluateOnNewDocument(
      (settings, order) => Object.assign(window, { settings, order }),
      { ...stack.config, debug: true },
      order,
    )
    await page.goto(url)
    await page.waitForFunction(() => window.reported, { polling: 50 })
    const { eventId, status } = await page.evaluate(() => window.reported)
    assert.equal(status, 'accepted')
    const [{ signals }] = await stack.bothLegs(eventId)
    assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server'])
    assert.deepEqual(one.errors, [])
    const said = () => lines.some((line) => line.includes(explained))
    await until(`the console says "${explained}"`, said, { found: () => lines })
    return { eventId, seen: await page.evaluate(look) }
  } finally {
    await one.leave()
  }
}

// These bundlers do not resolve the address of a file beside a module. With these bundlers, the console says which file the
// customer must copy.
const MISSING = 'debug.js must lie beside'
const explained = { Rollup: MISSING, 'Rollup into one file': MISSING, esbuild: MISSING, 'esbuild into one file': MISSING, Bun: MISSING }

for (const [name, build] of Object.entries(builds)) {
  test(`it works from ${name}`, async () => {
    const server = await site(files(await build()))
    try {
      absent.length = 0
      await opened(`http://127.0.0.1:${server.port}/`, { explained: explained[name] })
      const known = ['/favicon.ico', explained[name] && '/debug.js']
      assert.deepEqual(absent.filter((path) => !known.includes(path)), [])
    } finally {
      await server.stop()
    }
  })
}

test('it works from the development server of Vite', async () => {
  const { createServer } = await import('vite')
  const vite = await createServer({
    root: join(here, 'app'),
    configFile: false,
    logLevel: 'warn',
    cacheDir: join(here, 'node_modules/.vite-test'),
    // With a text instead of an object, Vite would pass on another Host header, and the proxy would reject the page as foreign.
    server: { port: 0, host: '127.0.0.1', proxy: { '/api': { target: stack.url } } },
    optimizeDeps: { force: true },
  })
  try {
    await vite.listen()
    await opened(`http://127.0.0.1:${vite.httpServer.address().port}/`)
  } finally {
    await vite.close()
  }
})

test('it works from Next.js with Turbopack, on the server and in the page', async () => {
  await nextBuild([])
  const port = await freePort()
  const started = nextRun(['start', '--hostname', '127.0.0.1', '--port', String(port)])
  const server = await site((incoming, outgoing) => pass(incoming, outgoing, port, []))
  try {
    const up = () => fetch(`http://127.0.0.1:${port}/`).then(({ ok }) => ok, () => false)
    await until('Next.js listens', up, { found: () => started.output.text })
    const { seen } = await opened(`http://127.0.0.1:${server.port}/`, {
      look: () => document.querySelector('#server').textContent,
    })
    assert.equal(seen, 'on-the-server 8dfcc057-77d8-88a5-b01a-e0d0586f4129')
  } finally {
    started.child.kill('SIGTERM')
    await server.stop()
  }
})

test('React’s strict mode mounts twice, and TikTok counts once', async () => {
  const server = await site(files(await strictMode()))
  try {
    const url = `http://127.0.0.1:${server.port}/`
    const look = () => ({
      mounts: window.mounts,
      scripts: document.querySelectorAll('script[src*="sdkid="]').length,
    })
    const { eventId, seen } = await opened(url, { look, explained: MISSING })
    assert.deepEqual(seen, { mounts: 2, scripts: 1 })
    assert.equal(eventsIn(stack.site.log).filter((event) => event.event_id === eventId).length, 1)
    assert.equal(stack.pixelEvents().filter((event) => event.event_id === eventId).length, 1)
    // The guide shows this pattern for an event without an order.
    const shown = ({ properties }) => properties?.contents?.[0]?.content_id === 'strict'
    assert.equal(eventsIn(stack.site.log).filter(shown).length, 1)
    const views = await until('the page is viewed', async () => {
      const all = await stack.sandbox.conversions()
      const found = all.filter(({ event, page }) => event === 'Pageview' && page?.url === url)
      return found.length > 0 && found
    })
    assert.deepEqual(views.map(({ signals }) => signals.length), [1])
  } finally {
    await server.stop()
  }
})

test('in workers and worklets every call does nothing, without a word', async () => {
  const server = await site(files(await workers()))
  const one = await visitor(browser)
  try {
    const page = await one.page()
    const lines = []
    page.on('console', (message) => lines.push(message.text()))
    await page.goto(`http://127.0.0.1:${server.port}/`)
    const nothing = { id: '8dfcc057-77d8-88a5-b01a-e0d0586f4129', status: 'off' }
    const kinds = ['Worker', 'SharedWorker', 'ServiceWorker', 'AudioWorklet']
    assert.deepEqual(await page.evaluate(() => window.answers), kinds.map((kind) => [kind, nothing]))
    assert.deepEqual([lines, one.errors], [[], []])
  } finally {
    await one.leave()
    await server.stop()
  }
})

const serverSide = `
  import('duet-sdk').then(async (duet) => {
    await duet.init({ pixelId: 'C4ABCDEFGHIJ0123456789' })
    const { eventId, delivery } = duet.trackDualEvent('Subscribe', {}, { orderId: 'PHO7K3M9Q2X' })
    console.log(eventId, (await delivery).status, duet.pending())
  })`

for (const condition of ['node', 'edge-light', 'worker', 'default']) {
  test(`where there is no page (${condition}) every call does nothing and answers with an id`, () => {
    // A runtime that knows none of the other three conditions loads the file for pages, although it has no page. Node always
    // has the condition `node`, so the test names this file by its path.
    const folder = join(here, 'node_modules/duet-sdk')
    const program = condition === 'default' ? serverSide.replace("'duet-sdk'", JSON.stringify(join(folder, 'index.js'))) : serverSide
    const printed = execFileSync(process.execPath, [`--conditions=${condition}`, '-e', program], { cwd: here })
    assert.equal(printed.toString().trim(), '8dfcc057-77d8-88a5-b01a-e0d0586f4129 off 0')
  })
}
