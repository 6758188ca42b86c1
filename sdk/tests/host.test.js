// What of a page is believed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clickIn } from '../page/host.js'

const clickOf = (id) => clickIn('https://shop.example/?ttclid=' + encodeURIComponent(id))

test('a click id that would break a cookie is none', () => {
  assert.equal(clickOf('E.C.P.CtwBabc-_~%3D'), 'E.C.P.CtwBabc-_~%3D')
  for (const id of ['', 'a b', 'a;b', 'a,b', 'a"b', 'a\\b', 'a\nb', 'đ', 'x'.repeat(1025)]) assert.equal(clickOf(id), '', id)
  assert.equal(clickIn(undefined), '')
})
