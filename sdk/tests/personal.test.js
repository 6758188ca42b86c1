// The page and the proxy know the same names of personal data: both hold `personal.json`.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import './names.js'
import { isPersonal } from '../page/personal.js'

const table = JSON.parse(readFileSync(new URL('../../events/tests/personal.json', import.meta.url)))

test('a name is personal in any spelling, and no other is', () => {
  for (const name of table.personal) assert.ok(isPersonal(name), name)
  for (const name of table.others) assert.ok(!isPersonal(name), name)
})
