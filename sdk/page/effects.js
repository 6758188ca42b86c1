// Calls the Rust module and carries out, in order, what it asks for (effect.rs). Decides nothing.

import { attach, core } from './core.js'
import { PREFIX, keys, quiet, remove, setCookie, write } from './host.js'
import { emit } from './listeners.js'
import { events, fares, note } from './outbox.js'
import { PAUSE_KEY, adopt, post } from './requests.js'
import { openPixel, stopPixel, verdict } from './ttq.js'
import { forget, recall } from './visitor.js'

// Rust has numbers for these, in their order.
const word = (number) => WORDS.split(' ')[number]

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

/** What may become of a call: `open` lets it out, `held` keeps it in memory, `denied` drops it. */
export let gate = 'held'

/** The module has stopped: from here on it is asked nothing. */
export const stopped = () => {
  attach(() => {})
  gate = 'held'
}

/** What the module has asked for and nobody has carried out yet. */
const asked = []

/** Runs a call of the module and what follows from it; gives back what that gave back, the requests it started among it. */
export const step = (call, ...values) => {
  catchUp()
  core(call, ...values)
  return asked.splice(0).map(quiet)
}

/** Tells Rust that something happened; gives back the requests that follow. */
export const happened = (call) => quiet(() => step(call)) ?? []

let wakeAt = Infinity
let wakeTimer

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

const batch = []

/** What other pages of this site see come and go when consent is denied here. */
export const DENIED_KEY = PREFIX + 'denied'

/** Forgets everything that is stored on this browser. */
export const clear = () => {
  write(DENIED_KEY, 1)
  keys().forEach(remove)
  setCookie('ttclid', '', 0)
  forget()
}

// What bindings.rs calls an effect, and what is done.
const effects = () => ({
  [STORE]: (event) => write(events[event].key, events[event].stored),
  [UNSTORE]: (event) => remove(events[event].key),
  [NOTE]: (event, end) => note(event, word(end)),
  [UNMARK]: (event) => remove(events[event].mark),
  [SETTLE]: (event, status) => fares(event, word(status)),
  [REPORT]: (event, code) => emit('error', { code: word(code), eventId: events[event]?.id }),
  [LEAVE_ALONE]: (event) => delete events[event],
  [TAKE]: (event) => batch.push(event),
  [POST]: (request, isLeaving) => post(request, isLeaving, batch.splice(0)),
  [WAKE_IN]: wake,
  [ADOPT]: adopt,
  [SET_GATE]: (number) => {
    const before = gate
    gate = GATES.split(' ')[number]
    if (gate == 'open') {
      putOff(() => openPixel(recall()))
      putOff(adopt)
    } else if (before == 'open') {
      stopPixel(gate == 'denied')
    }
  },
  [CLEAR]: clear,
  [PAUSE]: (ms) => (ms ? write(PAUSE_KEY, Date.now() + ms) : remove(PAUSE_KEY)),
})

/** What the module imports: facts at once, and effects that happen once its call is over. */
export const imports = () => {
  const later = Object.entries(effects()).map(([name, act]) => [name, (...values) => void asked.push(() => act(...values))])
  return {
    [NOW_MS]: () => Date.now(),
    [RANDOM]: () => Math.random(),
    [IS_PIXEL_KNOWN]: () => !!verdict,
    ...Object.fromEntries(later),
  }
}

/** The number that Rust has for a word; -1 for any other. */
export const numberOf = (status) => WORDS.split(' ').indexOf(status)
