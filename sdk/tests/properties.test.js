// What the convenience calls make of their fields.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { propertiesOf } from '../page/properties.js'

/** As it travels: what is unknown is left out. */
const of = (fields) => JSON.parse(JSON.stringify(propertiesOf(fields)))

test('a plan becomes one content with its price', () => {
  assert.deepEqual(of({ planId: 'starter', planName: 'Starter', value: 99000, currency: 'VND', orderId: 'A1' }), {
    contents: [{ content_id: 'starter', content_type: 'product', content_name: 'Starter', price: 99000, quantity: 1 }],
    content_type: 'product',
    value: 99000,
    currency: 'VND',
    order_id: 'A1',
    plan_id: 'starter',
  })
})

test('the plan and its billing cycle also travel by themselves', () => {
  const { plan_id, billing_cycle } = of({ planId: 'pro', planName: 'Pro', value: 1, billingCycle: 'yearly' })
  assert.deepEqual([plan_id, billing_cycle], ['pro', 'yearly'])
  assert.deepEqual(of({ billingCycle: 'yearly' }), { billing_cycle: 'yearly' })
})

test('the billing cycle stands behind the name of the plan', () => {
  const { contents } = of({ planId: 'pro', planName: 'Pro', value: 1, billingCycle: 'monthly' })
  assert.equal(contents[0].content_name, 'Pro (monthly)')
})

test('the value is what the things cost together', () => {
  assert.equal(of({ contentId: 'a', price: 0.1, quantity: 3 }).value, 0.3)
  assert.equal(of({ contentId: 'a', price: 99000 }).value, 99000)
  assert.equal(of({ contentId: 'a', value: 10, quantity: 3 }).contents[0].price, undefined, 'it is not known of one')
})

test('a price in text is not calculated with', () => {
  assert.equal(of({ contentId: 'a', price: '99.000' }).value, '99.000')
  assert.equal(of({ contentId: 'a', price: '99.000', quantity: 2 }).value, undefined)
  for (const price of [undefined, null, '']) assert.equal(of({ contentId: 'a', price }).value, undefined)
})

test('a payment names what was paid for, by the order where there is no other id', () => {
  assert.equal(of({ orderId: 'A1', value: 1, planName: 'Pro' }).contents[0].content_id, 'A1')
  assert.equal(of({ orderId: 'A1', value: 1 }).contents, undefined)
})

test('no currency and no contents are made up', () => {
  assert.deepEqual(of({ query: 'phở' }), { search_string: 'phở' })
  assert.deepEqual(of({}), {})
})
