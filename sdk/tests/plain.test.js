// What people type becomes on a page what it becomes in the proxy: both hold `plain.json`.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bringUp } from './module.js'
import { plainOrder } from '../page/ids.js'
import { configure, withDefaults } from '../page/requests.js'
import { digestsOf } from '../page/visitor.js'

const table = JSON.parse(readFileSync(new URL('../../events/tests/plain.json', import.meta.url)))

bringUp()
configure(withDefaults({ country: ' vn ' }))

const digest = (text) =>
  text == null ? '' : /^[0-9a-f]{64}$/.test(text) ? text : createHash('sha256').update(text).digest('hex')

const { order_id: orders, ...people } = table

for (const [which, [field, rows]] of Object.entries(people).entries()) {
  test(`${field}: a page takes what the proxy takes`, () => {
    for (const [raw, plain] of rows) {
      const values = ['', '', '']
      values[which] = raw
      assert.equal(digestsOf(values)[which], digest(plain), JSON.stringify(raw))
    }
  })
}

test('what is no text is no external id where it says nothing', () => {
  for (const value of [false, true, 0, NaN, {}]) assert.equal(digestsOf(['', '', value])[2], '', String(value))
})

test('an order has one id however it is written', () => {
  for (const [raw, plain] of orders) assert.equal(plainOrder(raw), plain ?? '', JSON.stringify(raw))
  for (const number of [1234, 1234n]) assert.equal(plainOrder(number), '1234')
  assert.equal(plainOrder(9007199254740993n), '9007199254740993')
  for (const other of [undefined, null, NaN, 1.5, 2 ** 53, 1e22, true, {}, ['A1']]) assert.equal(plainOrder(other), '', String(other))
})
