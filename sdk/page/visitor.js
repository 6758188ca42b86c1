// What is remembered of a visitor: digests of who they said they are, and the click that brought them.

import { core } from './core.js'
import { PREFIX, clicked, cookie, read, remove, setCookie, tiktokId, write } from './host.js'
import { hex } from './ids.js'
import { emit } from './listeners.js'
import { plain } from './plain.js'
import { sha256 } from './sha256.js'

const NAMES = ['email', 'phone', 'external_id']
const MAX_AGE_SECONDS = 2_592_000

/** The digests of e-mail address, phone number and the shop's own id. */
let known = []
/** What this page has stored of them. What is gone from there since was removed by somebody, and is not written again. */
let kept = ''
/** The newest click that brought them. */
export let ttclid

const store = (name, value) => write(PREFIX + name, Date.now() + ',' + value)

const stored = (name) => {
  const [at, ...values] = read(PREFIX + name).split(',')
  return Date.now() - at > MAX_AGE_SECONDS * 1000 ? [] : values
}

const digestOf = (text) => hex(sha256(text)).slice(0, 64)

// The digests of what programs write for nothing; made once there is a digest to compare with them.
let ofNobody

const ofSomebody = (digest) => {
  ofNobody ??= NOBODY.split(',').map((word) => digestOf(word))
  return ofNobody.includes(digest) ? '' : digest
}

// What is hashed of a plain e-mail address, phone number and external id; nothing of what cannot be one.
const hashed = [
  (text) => /^[^@]+@[^@]+$/.test(text) && text,
  (text) => text && String.fromCharCode(...(core(DIALLED, text) ?? [])),
  (text) => text,
]

// What cannot be one is reported and left out: a wrong key matches nobody, or the wrong person.
const digests = (raw) =>
  raw.map((value, which) => {
    if (value == null || value === '') return
    const text = plain[which](value + '')
    const isDigest = /^[\da-f]{64}$/i.test(text)
    const person = isDigest ? ofSomebody(text.toLowerCase()) : hashed[which](text)
    if (person) return isDigest ? person : digestOf(person)
    emit('error', { code: NAMES[which], field: 'user.' + NAMES[which] })
    return ''
  })

const joined = (fresh, before) => NAMES.map((_, which) => fresh[which] ?? before[which] ?? '')

/** The digests of an event: its own person's, and where they are missing the visitor's. */
export const digestsOf = (raw) => joined(digests(raw), known)

/** The members of `user` that three digests make. */
export const members = (keys) => Object.fromEntries(NAMES.map((name, which) => [name, keys[which] || undefined]))

/** Learns who is here. Another external id is another person, of whom nothing is known yet. */
export const learn = (raw) => {
  const fresh = digests(raw)
  const [, , id] = known
  known = joined(fresh, id && fresh[2] != null && fresh[2] != id ? [] : known)
  return known
}

/** Keeps the identified visitor for this browser's next pages. */
export const remember = () => {
  if (kept != known + '') store('user', (kept = known + ''))
}

/** Takes up what this browser remembers, now that it may be read; gives back the digests. */
export const recall = () => {
  if (known.join('')) remember()
  else known = stored('user')
  if (ttclid) return known
  // A click in the address is newer than one that is stored.
  ttclid = clicked()
  if (ttclid) {
    // Safari gives a script's cookie 7 days; where the proxy's is there already, it stays.
    if (cookie('ttclid') != ttclid) setCookie('ttclid', ttclid, MAX_AGE_SECONDS)
    store('ttclid', ttclid)
  } else {
    ttclid = cookie('ttclid') || tiktokId(() => stored('ttclid'))
  }
  return known
}

/** Forgets who they said they are; the click stays, it is the browser's. */
export const reset = () => {
  known = []
  kept = ''
  remove(PREFIX + 'user')
}

/** The members of `user` that this browser remembers: who is here, and what brought them. */
export const remembered = () => ({ ...members(recall()), ttclid: ttclid || undefined })

/** Forgets everything. */
export const forget = () => {
  known = []
  kept = ''
  ttclid = ''
}
