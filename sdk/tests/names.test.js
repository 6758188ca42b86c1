// Event names on a page, by the lists the build put in.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import './names.js'
import { alias, brokenBy, canonical } from '../page/names.js'

const table = JSON.parse(readFileSync(new URL('../../events/tests/names.json', import.meta.url)))

test('a name is taken as it is, or breaks the rule that it breaks in the proxy', () => {
  const golden = readdirSync(new URL('../../events/golden/', import.meta.url)).map((file) => file.replace('.json', ''))
  for (const name of [...golden, ...table.taken]) assert.equal(brokenBy(name), undefined, name)
  for (const rule of ['event_name', 'reserved_name']) {
    for (const name of table[rule]) assert.equal(brokenBy(name), rule, name)
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
