// The Pixel gets no more personal data than TikTok gets from the proxy: both hold `personal.json`.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import './names.js'
import { isPersonal, withoutPersons } from '../page/personal.js'

const table = JSON.parse(readFileSync(new URL('../../events/tests/personal.json', import.meta.url)))

test('a name is personal in any spelling, and no other is', () => {
  for (const name of table.personal) assert.ok(isPersonal(name), name)
  for (const name of table.others) assert.ok(!isPersonal(name), name)
})

test('properties lose what is personal and nothing else', () => {
  for (const [properties, left] of table.properties) assert.deepEqual(withoutPersons(properties), left)
})
