// Calls the Rust module and carries out, in order, what it asks for (effect.rs). Decides nothing.

import { FIELD, RECORD, join, keys, quiet, random, remove, setCookie, write } from './host.js'
import { emit, settle } from './listeners.js'
import { adopt, post } from './requests.js'
import { identify, openPixel, stopPixel, verdict } from './ttq.js'

// The calls, as duet.rs numbers them.
export const TRACK = 0
export const IDENTIFY = 1
export const RESET = 2
export const CONSENT = 3
export const INIT = 4
export const WAKE = 5
export const HURRY = 6
export const LEAVE = 7
export const ANSWERED = 8
export const ADOPT = 9
export const PENDING = 10

let core
let wakeAt = Infinity
let wakeTimer

export const attach = (call) => {
  core = call
}

/**
 * Runs a call. Gives back the fields of the effects that are its caller's business, by their letters,
 * and the `requests` it started.
 */
export const step = (kind, fields = [], records = []) => {
  const done = { requests: [] }
  const input = join([Date.now(), ...random(), verdict, ...fields])
  for (const effect of core(kind, [input, ...records].join(RECORD)).split(RECORD)) {
    const [letter, ...given] = effect.split(FIELD)
    const act = acts[letter]
    if (act) done.requests.push(quiet(() => act(...given)))
    else done[letter] = given
  }
  return done
}

/** Tells Rust that something happened; gives back the requests that follow. */
export const happened = (kind) => quiet(() => step(kind))?.requests ?? []

export const wake = (ms) => {
  const at = Date.now() + +ms
  if (at >= wakeAt) return
  clearTimeout(wakeTimer)
  wakeAt = at
  wakeTimer = setTimeout(() => {
    wakeAt = Infinity
    happened(WAKE)
  }, ms)
}

const acts = {
  w: (key, ...fields) => write(key, fields.join(FIELD)),
  r: remove,
  c() {
    keys().forEach(remove)
    setCookie('ttclid', '', 0)
  },
  k: (ttclid) => setCookie('ttclid', ttclid, 2_592_000),
  o: openPixel,
  q: stopPixel,
  u: identify,
  p: post,
  a: adopt,
  z: wake,
  s: settle,
  e: (code, eventId, field) => emit('error', { code, eventId: eventId || undefined, field: field || undefined }),
}
