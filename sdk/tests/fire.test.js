// The event as the page knows it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import './names.js'
import { complete, seconds } from '../page/fire.js'

test('the currency and the order are added where they are missing and known', () => {
  assert.deepEqual(complete({ value: 99000 }, 'VND', 'A1'), { value: 99000, currency: 'VND', order_id: 'A1' })
  assert.deepEqual(complete({ value: 0 }, 'VND'), { value: 0, currency: 'VND' })
})

test('what the caller states is not touched, and nothing is guessed', () => {
  const stated = { value: 1, currency: 'USD', order_id: 'B2' }
  assert.deepEqual(complete({ ...stated }, 'VND'), stated)
  assert.deepEqual(complete({ ...stated }, 'VND', 'B2'), stated)
  assert.deepEqual(complete({ query: 'phở' }, 'VND'), { query: 'phở' })
  assert.deepEqual(complete({ value: 1 }), { value: 1 })
})

test('an event names the order that its id is derived from', () => {
  assert.deepEqual(complete({ order_id: 'B2' }, '', 'A1'), { order_id: 'A1' })
  assert.deepEqual(complete({ order_id: 92704 }, '', 92704), { order_id: '92704' })
})

test('a time is a date, seconds or milliseconds, else now', () => {
  assert.equal(seconds(new Date(1_700_000_000_999)), 1_700_000_000)
  assert.equal(seconds(1_700_000_000), 1_700_000_000)
  assert.equal(seconds(1_700_000_000_999), 1_700_000_000)
  for (const none of [undefined, null, 'soon']) assert.ok(Math.abs(seconds(none) - Date.now() / 1000) < 5)
})
