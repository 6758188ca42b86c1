// What of a page is believed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clickIn, join } from '../page/host.js'

const clickOf = (id) => clickIn('https://shop.example/?ttclid=' + encodeURIComponent(id))

test('a click id that would break a cookie is none', () => {
  assert.equal(clickOf('E.C.P.CtwBabc-_~%3D'), 'E.C.P.CtwBabc-_~%3D')
  for (const id of ['', 'a b', 'a;b', 'a,b', 'a"b', 'a\\b', 'a\nb', 'đ', 'x'.repeat(1025)]) assert.equal(clickOf(id), '', id)
  assert.equal(clickIn(undefined), '')
})

test('a field cannot pass for two', () => {
  assert.equal(join(['a\x1fb', 'c\x1ed', null, undefined, false, 0]), 'ab\x1fcd\x1f\x1f\x1f\x1f0')
})
