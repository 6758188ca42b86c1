// Calls the Rust module and carries out, in order, what it asks for (effect.rs). Decides nothing.

import { attach, core, effects } from './core.js'
import { PREFIX, keys, quiet, remove, setCookie, write } from './host.js'
import { emit } from './listeners.js'
import { events, fares, note } from './outbox.js'
import { PAUSE_KEY, adopt, post } from './requests.js'
import { openPixel, stopPixel, verdict } from './ttq.js'
import { forget, recall } from './visitor.js'

// The calls, as duet.rs numbers them.
export const INIT = 0
export const CONSENT = 1
export const ADD = 2
export const WAKE = 3
export const HURRY = 4
export const LEAVE = 5
export const ANSWERED = 6
export const LOOK = 7
export const MISS = 8
export const FIND = 9
export const LOOKED = 10
export const FORGET = 11

// The words, as effect.rs numbers them.
const WORDS = 'accepted duplicate held invalid queued dropped consent full expired refused'.split(' ')

// What can wait until the page's task is over. The first look at storage and cookies and the Pixel's start take a
// page longer than everything else in `init()`.
const late = []

/** Does it now: the page's next call needs it. */
export const catchUp = () => late.splice(0).forEach(quiet)

/** Puts something off until the page's task is over. */
export const putOff = (task) => {
  late.push(task)
  setTimeout(catchUp)
}

let wakeAt = Infinity
let wakeTimer
const batch = []

/** What other pages of this site see come and go when consent is denied here. */
export const DENIED_KEY = PREFIX + 'denied'

/** What may become of a call: goes out, 1 waits, 2 is denied. */
export let gate = 1

/** The module has stopped: from here on it is asked nothing. */
export const stopped = () => {
  attach(() => {})
  gate = 1
}

/** Runs a call and what follows from it; gives back what that gave back, the requests it started among it. */
export const step = (kind, number = 0, ms = 0, size = 0, flags = 0, results = '') => {
  catchUp()
  gate = core(CALL, kind, Date.now(), Math.random(), !!verdict, number, ms, size, flags, results) ?? gate
  return effects.splice(0).map(([act, first, second]) => quiet(() => acts[act](first, second)))
}

/** Tells Rust that something happened; gives back the requests that follow. */
export const happened = (kind) => quiet(() => step(kind)) ?? []

export const wake = (ms) => {
  const at = Date.now() + ms
  if (at >= wakeAt) return
  clearTimeout(wakeTimer)
  wakeAt = at
  wakeTimer = setTimeout(() => {
    wakeAt = Infinity
    happened(WAKE)
  }, ms)
}

/** Forgets everything that is stored on this browser. */
export const clear = () => {
  write(DENIED_KEY, 1)
  keys().forEach(remove)
  setCookie('ttclid', '', 0)
  forget()
}

const acts = [
  (event) => write(events[event].key, events[event].stored),
  (event) => remove(events[event].key),
  (event, word) => note(event, WORDS[word]),
  (event) => remove(events[event].mark),
  (event, word) => fares(event, WORDS[word]),
  (event, word) => emit('error', { code: WORDS[word], eventId: events[event]?.id }),
  (event) => delete events[event],
  (event) => batch.push(event),
  (number, leaving) => post(number, leaving, batch.splice(0)),
  wake,
  adopt,
  () => {
    putOff(() => openPixel(recall()))
    putOff(adopt)
  },
  stopPixel,
  clear,
  (ms) => (ms ? write(PAUSE_KEY, Date.now() + ms) : remove(PAUSE_KEY)),
]

/** The number by which Rust knows one of the proxy's words, from 1 on; 0 for any other. */
export const numberOf = (word) => WORDS.indexOf(word) + 1
