// Remembers a visitor: digests of the visitor's identity, and the ad click that led to the page.

import { core } from './core.js'
import { PREFIX, clicked, cookie, read, remove, setCookie, tiktokId, write } from './host.js'
import { hex } from './ids.js'
import { emit } from './listeners.js'
import { plain } from './plain.js'
import { sha256 } from './sha256.js'

const NAMES = ['email', 'phone', 'external_id']
const MAX_AGE_SECONDS = 2_592_000

/** The digests of the visitor's e-mail address, phone number and external id (the shop's own id of the visitor). */
let known = []
/**
 * The digests that this page has stored. If they are no longer in the storage, somebody has removed them, so this page does not
 * store them again.
 */
let kept = ''
/** The newest click id of the visitor. */
export let ttclid

const store = (name, value) => write(PREFIX + name, Date.now() + ',' + value)

const stored = (name) => {
  const [at, ...values] = read(PREFIX + name).split(',')
  return Date.now() - at > MAX_AGE_SECONDS * 1000 ? [] : values
}

const digestOf = (text) => hex(sha256(text).slice(0, 32))

// The digests of the words for a missing value. They are computed only when there is a digest to compare with them.
let ofNobody

const ofSomebody = (digest) => {
  ofNobody ??= NOBODY.split(',').map((word) => digestOf(word))
  return ofNobody.includes(digest) ? '' : digest
}

// The texts to hash, from a plain e-mail address, phone number and external id. An invalid value gives no text.
const hashed = [
  (text) => /^[^@]+@[^@]+$/.test(text) && text,
  (text) => text && String.fromCharCode(...(core(DIALLED, text) ?? [])),
  (text) => text,
]

// Returns the digests of raw values. An invalid value is reported and left out, because its digest would match nobody or the
// wrong person.
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

/** Returns the digests of the person whom an event names. Digests that the event lacks are taken from the visitor. */
export const digestsOf = (raw) => joined(digests(raw), known)

/** Converts three digests to members of `user`. */
export const members = (keys) => Object.fromEntries(NAMES.map((name, which) => [name, keys[which] || undefined]))

/**
 * Remembers who the visitor is. If the external id differs from the remembered one, the visitor is another person, so all
 * earlier digests are dropped.
 */
export const learn = (raw) => {
  const fresh = digests(raw)
  const [, , id] = known
  known = joined(fresh, id && fresh[2] != null && fresh[2] != id ? [] : known)
  return known
}

/** Stores the identified visitor for this browser's next pages. */
export const remember = () => {
  if (kept != known + '') store('user', (kept = known + ''))
}

/**
 * Reads the data that this browser remembers about the visitor. The caller must ensure that consent is granted. Returns the
 * digests.
 */
export const recall = () => {
  if (known.join('')) remember()
  else known = stored('user')
  if (ttclid) return known
  // A click id in the page's address is newer than a stored click id.
  ttclid = clicked()
  if (ttclid) {
    // If there is a cookie with this click id, keep it: the proxy may have set it for 30 days, but Safari limits a script's
    // cookie to 7 days.
    if (cookie('ttclid') != ttclid) setCookie('ttclid', ttclid, MAX_AGE_SECONDS)
    store('ttclid', ttclid)
  } else {
    ttclid = cookie('ttclid') || tiktokId(() => stored('ttclid'))
  }
  return known
}

/** Forgets the visitor's identity. The click id is kept, because it belongs to the browser and not to the person. */
export const reset = () => {
  known = []
  kept = ''
  remove(PREFIX + 'user')
}

/** Returns the members of `user` that this browser remembers: the identity and the click id. */
export const remembered = () => ({ ...members(recall()), ttclid: ttclid || undefined })

/** Forgets the visitor's identity and the click id. */
export const forget = () => {
  known = []
  kept = ''
  ttclid = ''
}
