// The ids made without WebAssembly are those the Rust module makes: both hold the same vectors.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import './names.js'
import { eventId, isReserved, ofOrder } from '../page/ids.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('an order makes its id', () => {
  for (const [event, orderId, id] of [
    ['Subscribe', 'PHO7K3M9Q2X', '8dfcc057-77d8-88a5-b01a-e0d0586f4129'],
    ['CompletePayment', 'PHO7K3M9Q2X', 'fe42ae63-b5ad-8eb5-b022-89b5eb26d7db'],
    ['Purchase', 'PHO_SUB_1762228747088_NTK3U9', '6e106f95-b690-8a06-b52a-c71801371620'],
    ['Subscribe', 'đơn-01', '6642a098-f1c4-8b16-b168-8fa3893ea5d9'],
  ]) {
    assert.equal(eventId(event, orderId), id)
  }
})

test('the digest is SHA-256 at every length around its block', async () => {
  for (let length = 1; length < 200; length++) {
    const orderId = 'đ'.repeat(length)
    const bytes = new TextEncoder().encode(`duet/1|Subscribe|${orderId}`)
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex')
    // The version and variant digits of the id are not the digest's.
    const unversioned = (hex) => hex.slice(0, 12) + hex.slice(13, 16) + hex.slice(17, 32)
    assert.equal(unversioned(ofOrder('Subscribe', orderId).replaceAll('-', '')), unversioned(digest))
  }
})

test('a caller keeps an id of their own, if it is one', () => {
  assert.equal(eventId('Search', 'A1', 'own:1'), 'own:1')
  for (const none of ['two words', 'undefined', 'null', 'NaN', 'None', null]) {
    assert.equal(eventId('Search', 'A1', none), eventId('Search', 'A1'))
  }
})

test('without an order an id is random', () => {
  assert.match(eventId('Search'), UUID)
  assert.match(eventId('Search', ''), UUID)
  assert.notEqual(eventId('Search'), eventId('Search'))
})

test('an order id that names no order makes no id, and blanks around the name of an event are none of it', () => {
  for (const orderId of [' ', 'undefined', '[object Object]', 'x'.repeat(129), {}, true]) {
    assert.match(eventId('Subscribe', orderId), UUID)
    assert.notEqual(eventId('Subscribe', orderId), eventId('Subscribe', orderId))
  }
  assert.equal(eventId(' Subscribe\n', ' PHO7K3M9Q2X '), '8dfcc057-77d8-88a5-b01a-e0d0586f4129')
})

test('an id of the form of an order\'s is reserved', () => {
  assert.ok(isReserved(eventId('Subscribe', 'A1')))
  assert.ok(isReserved('00000000-0000-8000-bfff-000000000000'))
  for (const free of [
    undefined,
    eventId('Search'),
    'own:1',
    eventId('Subscribe', 'A1').toUpperCase(),
    '8dfcc057-77d8-88a5-c01a-e0d0586f4129',
    '8dfcc05777d888a5b01ae0d0586f4129',
  ]) {
    assert.ok(!isReserved(free), free)
  }
})
