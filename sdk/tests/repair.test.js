// The Pixel gets what TikTok gets from the proxy: both hold `personal.json` and `types.json`.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import './names.js'
import { forPixel } from '../page/repair.js'

const table = (name) => JSON.parse(readFileSync(new URL('../../events/tests/' + name, import.meta.url)))

test('properties lose what is personal and nothing else', () => {
  for (const [properties, left] of table('personal.json').properties) assert.deepEqual(forPixel(properties), left)
})

test('a field of another type is repaired or left out', () => {
  for (const [stated, sent] of table('types.json')) assert.deepEqual(forPixel(JSON.parse(stated)), sent, stated)
})

test("an item keeps its type, and a text keeps its currency's decimals", () => {
  const items = { contents: [{ content_id: 'a', content_type: 'product' }] }
  assert.deepEqual(forPixel(items), items)
  assert.deepEqual(forPixel({ value: '29.125', currency: 'KWD' }), { currency: 'KWD' })
})
