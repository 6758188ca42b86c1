// JSON on pages whose libraries have ideas of their own about it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import './names.js'
import { copyOf, toJson } from '../page/json.js'

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

test('a large integer is a number, and text where a number would be another one', () => {
  assert.equal(toJson({ value: 99000n }), '{"value":99000}')
  assert.equal(toJson({ content_id: 9007199254740993n }), '{"content_id":"9007199254740993"}')
})

/** What is made of properties, and what is said to be lost of them. */
const copied = (properties) => {
  const lost = []
  return [copyOf(properties, (name) => void lost.push(name)), lost]
}

test('what JSON has no form for is named and left out alone', () => {
  const circle = {}
  circle.circle = circle
  const oddities = [
    ...[NaN, Infinity, () => 1, class {}, Symbol('x'), new Date(NaN), { toJSON: () => undefined }],
    ...[new Map([[1, 2]]), new Set([1]), new URLSearchParams('a=1'), new Float64Array(2), circle],
  ]
  for (const odd of oddities) {
    assert.deepEqual(copied({ value: 1, odd, contents: [{ price: 2 }] }), [{ value: 1, contents: [{ price: 2 }] }, ['odd']])
    if (odd !== circle) assert.deepEqual(copied({ outer: { odd, a: 1 } }), [{ outer: { a: 1 } }, ['odd']])
  }
  const throws = {
    value: 1,
    get odd() {
      throw new Error('no')
    },
    order_id: 'A1',
  }
  assert.deepEqual(copied(throws), [{ value: 1, order_id: 'A1' }, ['odd']])
  assert.deepEqual(copied({ a: { get b() { throw 1 } }, c: 2 }), [{ c: 2 }, ['a']])
})

test('what JSON has a form for is copied as it is', () => {
  const at = new Date(0)
  const properties = { value: 1.5, none: undefined, nothing: null, at, list: [1, [2]], text: 'x', is: false, size: 3, big: 5n }
  assert.deepEqual(copied(properties), [JSON.parse(JSON.stringify({ ...properties, big: 5 })), []])
  assert.deepEqual(copied(Object.assign(Object.create(null), { a: 1 })), [{ a: 1 }, []])
  for (const other of ['text', 5, [1], new Map(), () => 1, true]) assert.equal(copied(other)[0], false, String(other))
})
