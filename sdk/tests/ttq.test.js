// What the Pixel is told, by the entries its queue gets before TikTok's script is there.

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import './names.js'

const PIXEL = 'C4ABCDEFGHIJ0123456789'

/** The module as a page loads it that has nothing yet. */
let loads = 0
let ttq
beforeEach(async () => {
  globalThis.window = globalThis
  globalThis.navigator ??= {}
  globalThis.ttq = undefined
  globalThis.location = { href: 'https://shop.example/' }
  globalThis.document = {
    createElement: () => ({ addEventListener() {} }),
    head: { append() {} },
    querySelector: () => null,
  }
  globalThis.Document = { prototype: document }
  // The give-up timers of the last test must not keep the program running.
  globalThis.setTimeout = () => {}
  ttq = await import(`../page/ttq.js?${++loads}`)
})

/** What was called on a pixel, without the question whether it runs. */
const told = (id = PIXEL) => [...window.ttq._i[id]].filter(([method]) => method !== 'ready')

test('a pixel is loaded once, with one page view', () => {
  ttq.addPixel({ pixelId: PIXEL })
  ttq.openPixel(['', '', ''])
  ttq.addPixel({ pixelId: PIXEL })
  assert.deepEqual(told(), [['page']])
  assert.deepEqual(window.ttq._o[PIXEL], { historyObserver: false })
})

test('nothing is loaded before it may be', () => {
  ttq.addPixel({ pixelId: PIXEL })
  assert.equal(window.ttq, undefined)
})

test('a second pixel gets what the first gets, from then on', () => {
  ttq.addPixel({ pixelId: PIXEL })
  ttq.openPixel(['', '', ''])
  ttq.addPixel({ pixelId: 'SECONDPIXEL0' })
  ttq.report('Search', { query: 'phở' }, 'id-1', ['', '', ''])
  const event = ['track', 'Search', { query: 'phở' }, { event_id: 'id-1' }]
  assert.deepEqual(told(), [['page'], event])
  assert.deepEqual(told('SECONDPIXEL0'), [['page'], event])
})

test('one address is one page view', () => {
  ttq.addPixel({ pixelId: PIXEL })
  ttq.openPixel(['', '', ''])
  ttq.view()
  for (const href of ['https://shop.example/plans', 'https://shop.example/plans', 'https://shop.example/']) {
    location.href = href
    ttq.view()
  }
  assert.equal(told().length, 3)
})

test('the pixel gets digests under the names for digests, and once', () => {
  ttq.addPixel({ pixelId: PIXEL })
  ttq.openPixel(['E', '', 'I'])
  ttq.identify(['E', '', 'I'])
  ttq.identify(['', '', ''])
  assert.deepEqual(told(), [['page'], ['identify', { sha256_email: 'E', external_id: 'I' }]])
})

test('a pixel that runs is stopped and brought back', () => {
  ttq.addPixel({ pixelId: PIXEL })
  ttq.openPixel(['', '', ''])
  ttq.stopPixel(1)
  ttq.openPixel(['', '', ''])
  ttq.stopPixel(0)
  const methods = told().map(([method]) => method)
  assert.deepEqual(methods, ['page', 'revokeConsent', 'disableCookie', 'enableCookie', 'grantConsent', 'holdConsent'])
})

test('a pixel id that could be code never reaches the page', () => {
  for (const pixelId of ['"><script>', 'c4abcdefghij', 'SHORT', '', undefined]) ttq.addPixel({ pixelId })
  assert.deepEqual(ttq.pixels, [])
})

test('a pixel that is off or the page\'s own needs no id', () => {
  ttq.addPixel({ pixel: 'off' })
  assert.deepEqual(ttq.pixels, [])
  ttq.addPixel({ pixel: 'existing' })
  assert.deepEqual(ttq.pixels, [''])
})

test('the proxy gets an event once for each pixel, which names it where there are several', () => {
  const body = { event: 'Lead', event_id: 'id-1' }
  assert.deepEqual(ttq.forProxy(body), [{ ...body, pixel_id: undefined }])
  ttq.addCode({ pixelId: PIXEL })
  ttq.addCode({ pixelId: PIXEL })
  assert.deepEqual(ttq.forProxy(body), [{ ...body, pixel_id: undefined }])
  // Also of a pixel that this page does not run.
  ttq.addCode({ pixelId: 'SECONDPIXEL0', pixel: 'off' })
  ttq.addCode({ pixelId: 'no code' })
  assert.deepEqual(ttq.forProxy(body), [
    { ...body, pixel_id: PIXEL },
    { ...body, pixel_id: 'SECONDPIXEL0' },
  ])
})

test("a pixel of the page's own that has no code is the proxy's choice", () => {
  ttq.addCode({ pixel: 'existing' })
  ttq.addCode({ pixelId: PIXEL })
  assert.deepEqual(ttq.forProxy({}), [{ pixel_id: undefined }, { pixel_id: PIXEL }])
})
