// Event names on a page, by the lists the build put in.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { bringUp } from './module.js'
import { alias, brokenBy, canonical } from '../page/names.js'

bringUp()

const golden = readdirSync(new URL('../../events/golden/', import.meta.url)).map((file) => file.replace('.json', ''))

test('standard, former and custom names are taken as they are', () => {
  for (const name of [...golden, 'PageView', 'Plan-B_2', 'toString', '__proto__']) {
    assert.equal(brokenBy(name), name == '__proto__' ? 'event_name' : 0, name)
  }
})

test('names that TikTok rewrites, or would miscount, are not', () => {
  for (const name of ['AddBilling', 'Checkout', 'ViewForm']) assert.equal(brokenBy(name), 'reserved_name', name)
  for (const name of ['viewcontent', 'PAGEVIEW', '', ' ', 'AddToCart ', '1st', 'sự_kiện', 'a'.repeat(51)]) {
    assert.equal(brokenBy(name), 'event_name', name)
  }
})

test('a former name and its successor are one event', () => {
  for (const [name, now] of [
    ['CompletePayment', 'Purchase'],
    ['Purchase', 'Purchase'],
    ['SubmitForm', 'Lead'],
    ['PageView', 'Pageview'],
    ['Lead', 'Lead'],
    ['PlaceAnOrder', 'PlaceAnOrder'],
    ['my_event', 'my_event'],
    ['toString', 'toString'],
  ]) {
    assert.equal(canonical(name), now)
  }
})

test('two names of one event are aliases', () => {
  for (const [name, other] of [
    ['CompletePayment', 'Purchase'],
    ['Purchase', 'CompletePayment'],
    ['Lead', 'SubmitForm'],
    ['PageView', 'Pageview'],
    ['Subscribe', undefined],
    ['my_event', undefined],
  ]) {
    assert.equal(alias(name), other)
  }
})
