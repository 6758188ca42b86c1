// Who is here: what is learnt, remembered and forgotten, with the module's digests.

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { bringUp, storage } from './module.js'
import { on } from '../page/listeners.js'
import { configure } from '../page/requests.js'
import { digestsOf, forget, learn, members, recall, remember, reset, ttclid } from '../page/visitor.js'

const EMAIL = '973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b'
const PHONE = '0c450d4175db5d08e888c726767096ac29c6dfa0cc8e755e42af0629a1d7ca4c'
const ID = '6d2d23ed645414b1cb2149eca473460493d4b387057afde07e344bd15ae526b3'
const DAY_MS = 86_400_000

bringUp()
configure({ country: 'VN' })
beforeEach(() => {
  storage.clear()
  forget()
  document.cookie = ''
  location.href = 'https://shop.example/'
})

const reports = async (task) => {
  const told = []
  const off = on('error', ({ code, field, message }) => told.push([code, field, message]))
  task()
  await null
  off()
  return told
}

test('the published vectors hold, however a person writes', () => {
  assert.deepEqual(learn(['  TEST@Example.com\n', '0901 234 567', ' user_2abcDEF ']), [EMAIL, PHONE, ID])
  assert.deepEqual(digestsOf(['', '+84901234567', null]), [EMAIL, PHONE, ID])
  assert.deepEqual(digestsOf([EMAIL.toUpperCase(), PHONE, ID]), [EMAIL, PHONE, ID])
})

test('letters beyond ASCII are lower-cased', () => {
  assert.deepEqual(digestsOf(['ĐƠN@Ví-dụ.vn', '', '']), digestsOf(['đơn@ví-dụ.vn', '', '']))
})

test('a long value is hashed whole', async () => {
  const long = 'đ'.repeat(60_000)
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(long))).toString('hex')
  assert.equal(digestsOf(['', '', long])[2], digest)
  assert.equal(digestsOf(['', '', 'user_2abcDEF'])[2], ID)
})

test('what is learnt later joins what was known', () => {
  learn(['test@example.com', '', ''])
  assert.deepEqual(learn([undefined, undefined, 'user_2abcDEF']), [EMAIL, '', ID])
})

test('another external id is another person', () => {
  learn(['test@example.com', '', 'one'])
  const [email, , id] = learn(['', '', 'user_2abcDEF'])
  assert.deepEqual([email, id], ['', ID])
})

test('an event about somebody else leaves the visitor alone', () => {
  learn(['test@example.com', '', ''])
  assert.deepEqual(digestsOf(['', '', 'user_2abcDEF']), [EMAIL, '', ID])
  assert.deepEqual(digestsOf(['', '', '']), [EMAIL, '', ''])
})

test('what cannot be one is reported without its value and never hashed', async () => {
  learn(['test@example.com', '0901234567', 'one'])
  const told = await reports(() => assert.deepEqual(digestsOf(['no address', '12', ' ']), ['', '', '']))
  assert.deepEqual(
    told.map(([code, field]) => [code, field]),
    [
      ['email', 'user.email'],
      ['phone', 'user.phone'],
      ['external_id', 'user.external_id'],
    ],
  )
  assert.doesNotMatch(JSON.stringify(told), /no address|12/)
})

test('a user has the members that are known', () => {
  assert.equal(JSON.stringify(members([EMAIL, '', ID])), JSON.stringify({ email: EMAIL, external_id: ID }))
})

test('what this browser remembers counts for 30 days', () => {
  learn(['test@example.com', '', ''])
  remember()
  location.href = 'https://shop.example/?ttclid=E.C.P.click'
  recall()
  location.href = 'https://shop.example/'
  for (const [days, email, click] of [
    [29, EMAIL, 'E.C.P.click'],
    [31, undefined, ''],
  ]) {
    forget()
    document.cookie = ''
    for (const [key, value] of storage) {
      const [, ...rest] = value.split(',')
      storage.set(key, [Date.now() - days * DAY_MS, ...rest].join())
    }
    assert.equal(recall()[0], email)
    assert.equal(ttclid, click)
  }
})

test('a click in the address is the newest, and a cookie is newer than storage', () => {
  location.href = 'https://shop.example/?ttclid=E.C.P.new'
  document.cookie = 'ttclid=E.C.P.cookie'
  recall()
  assert.equal(ttclid, 'E.C.P.new')
  assert.match(document.cookie, /^ttclid=E\.C\.P\.new;max-age=2592000;path=\/;samesite=lax;secure$/)
  forget()
  location.href = 'https://shop.example/'
  document.cookie = 'ttclid=E.C.P.cookie'
  recall()
  assert.equal(ttclid, 'E.C.P.cookie')
})

test('what somebody has removed is known to this page, and not written again', () => {
  location.href = 'https://shop.example/?ttclid=E.C.P.click'
  learn(['test@example.com', '', ''])
  recall()
  assert.deepEqual([...storage.keys()].sort(), ['duet:ttclid', 'duet:user'])
  storage.clear()
  document.cookie = ''
  assert.equal(recall()[0], EMAIL)
  remember()
  assert.deepEqual([[...storage.keys()], document.cookie, ttclid], [[], '', 'E.C.P.click'])
  learn(['', '', 'user_2abcDEF'])
  remember()
  assert.deepEqual([...storage.keys()], ['duet:user'], 'who is learnt of later is somebody new to remember')
})

test('reset forgets the person and keeps the click', () => {
  learn(['test@example.com', '', ''])
  remember()
  location.href = 'https://shop.example/?ttclid=E.C.P.click'
  recall()
  reset()
  assert.deepEqual([...storage.keys()], ['duet:ttclid'])
  assert.deepEqual(digestsOf(['', '', '']), ['', '', ''])
})
