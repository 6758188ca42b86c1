// JSON on pages whose libraries have ideas of their own about it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toJson } from '../page/json.js'

const values = [
  [],
  [1, 'a', null, [2, [3]]],
  { contents: [{ content_id: 'a', price: 1.5 }], none: undefined },
  { at: new Date(0) },
  'text',
]

test('it is what JSON.stringify makes', () => {
  for (const value of values) assert.equal(toJson(value), JSON.stringify(value))
})

test('it stays that where arrays or all objects have a toJSON', () => {
  const expected = values.map((value) => JSON.stringify(value))
  for (const { prototype } of [Array, Object]) {
    Object.defineProperty(prototype, 'toJSON', { value: () => 'spoilt', configurable: true, writable: true })
    try {
      assert.deepEqual(values.map((value) => toJson(value)), expected)
    } finally {
      delete prototype.toJSON
    }
  }
})

test('a class keeps the toJSON it has', () => {
  class Money {
    toJSON() {
      return 99000
    }
  }
  assert.equal(toJson({ value: new Money() }), '{"value":99000}')
})

test('a number that JSON has no form for is named and left out, wherever it is', () => {
  for (const none of [NaN, Infinity, -Infinity]) {
    const leftOut = []
    assert.equal(toJson({ value: none, contents: [{ price: none, quantity: 1 }] }, (name) => leftOut.push(name) && undefined), '{"contents":[{"quantity":1}]}')
    assert.deepEqual(leftOut, ['value', 'price'])
  }
})

test('a large integer is a number', () => {
  assert.equal(toJson({ value: 99000n }), '{"value":99000}')
})
