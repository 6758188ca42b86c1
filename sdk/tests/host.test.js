// What of a page is believed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import './names.js'
import { clickIn, read, remove, write } from '../page/host.js'

const clickOf = (id) => clickIn('https://shop.example/?ttclid=' + encodeURIComponent(id))

test('a click id that would break a cookie is none', () => {
  assert.equal(clickOf('E.C.P.CtwBabc-_~%3D'), 'E.C.P.CtwBabc-_~%3D')
  for (const id of ['', 'a b', 'a;b', 'a,b', 'a"b', 'a\\b', 'a\nb', 'đ', 'x'.repeat(1025)]) assert.equal(clickOf(id), '', id)
  assert.equal(clickIn(undefined), '')
})

test('a macro that nobody replaced, and what programs write for nothing, is no click', () => {
  for (const id of [
    ...['__CLICKID__', '__x__', '{{click_id}}', '{{}}', '%%CLICKID%%'],
    ...['%25%25CLICKID%25%25', '%7B%7Bclick_id%7D%7D', '%5F%5FCLICKID__'],
    ...['${CLICKID}', '{CLICKID}', '[CLICKID]', '<ttclid>', ' __CLICKID__', '%20__CLICKID__%E2%80%8B', '%3Cttclid%3E'],
    ...['lan@example.com', 'lan%40example.com'],
    ...['undefined', 'UNDEFINED', 'null', 'NaN', 'none'],
  ]) {
    assert.equal(clickOf(id), '', id)
  }
  for (const id of ['E.C.P.__CLICKID__', 'nullable', '_x_', '__']) assert.equal(clickOf(id), id)
})

test('what is for this page outlives that its storage is cleared', () => {
  const stored = new Map()
  Object.defineProperty(globalThis, 'localStorage', {
    configurable: true,
    value: {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => stored.set(key, value + ''),
      removeItem: (key) => stored.delete(key),
    },
  })
  write('duet:a', '1')
  write('duet:b', '2', true)
  stored.clear()
  assert.deepEqual([read('duet:a'), read('duet:b')], ['', '2'])
  write('duet:b', '3', true)
  stored.set('duet:b', '4')
  assert.equal(read('duet:b'), '4', 'what is stored is newer: another page may have written it')
  remove('duet:b')
  assert.equal(read('duet:b'), '')
})
