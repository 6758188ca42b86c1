// What of a page is believed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import './names.js'
import { absolute, clickIn, cookie, here, ofDocument, read, remove, write } from '../page/host.js'

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

test('of several click ids the first usable one counts, and a blank hides no macro', () => {
  for (const [query, click] of [
    ['ttclid=__CLICKID__&ttclid=x', 'x'],
    ['ttclid=&ttclid=null&ttclid=x&ttclid=y', 'x'],
    ['ttclid=+__CLICKID__', ''],
    ['ttclid=%2B__CLICKID__%2B', ''],
    ['ttclid=%2520__CLICKID__&ttclid=y', 'y'],
  ]) {
    assert.equal(clickIn('https://shop.example/?' + query), click, query)
  }
  for (const [cookies, click] of [
    ['ttclid=x', 'x'],
    ['a=1; ttclid=__CLICKID__; ttclid=x; ttclid=y', 'x'],
    ['ttclid=+__CLICKID__; my_ttclid=y', ''],
    ['ttclid=; ttclid=a=b', 'a=b'],
    ['', ''],
  ]) {
    globalThis.document = { cookie: cookies }
    assert.equal(cookie('ttclid'), click, cookies)
  }
})

test('a form that is called like a member of the document hides nothing', () => {
  class Document {
    cookie = 'ttclid=x'
    get referrer() {
      return 'https://a.example/'
    }
    get hidden() {
      return false
    }
    get head() {
      return 'the head'
    }
    createElement(kind) {
      return [this, kind]
    }
  }
  globalThis.Document = Document
  const plain = new Document()
  const form = { nodeType: 1, name: 'x' }
  const object = Object.assign(() => {}, { nodeType: 1 })
  for (const named of [undefined, form, [form, form], object]) {
    globalThis.document = plain
    if (named) {
      globalThis.document = Object.create(plain, {})
      for (const name of ['referrer', 'hidden', 'head', 'createElement']) Object.defineProperty(document, name, { value: named })
    }
    assert.equal(ofDocument('referrer'), 'https://a.example/')
    assert.equal(ofDocument('hidden'), false)
    assert.equal(ofDocument('head'), 'the head')
    assert.deepEqual(ofDocument('createElement').call(document, 'script'), [document, 'script'])
    assert.equal(ofDocument('prerendering'), undefined)
    assert.equal(cookie('ttclid'), 'x')
  }
  // What a consent tool has put in the place of one is asked.
  globalThis.document = Object.create(plain, { cookie: { value: 'ttclid=asked' } })
  assert.equal(cookie('ttclid'), 'asked')
})

test('a page that a script has made of text has the address of its maker', () => {
  globalThis.location = { href: 'blob:https://shop.example/6f1c' }
  assert.equal(here(), 'https://shop.example/6f1c')
  assert.equal(absolute('/api/track'), 'https://shop.example/api/track')
  globalThis.location = { href: 'https://shop.example/?next=blob:x' }
  assert.equal(here(), location.href)
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
