// Calls of the Rust module. After a call, effects.js carries out the requested effects (effect.rs) in order.

import { attach, core } from './core.js'
import { quiet } from './host.js'

// Rust uses the numbers of these words, in this order.
export const word = (number) => WORDS.split(' ')[number]

/** Returns Rust's number for a word, or -1 for any other word. */
export const numberOf = (status) => WORDS.split(' ').indexOf(status)

// Tasks that can wait until the page's current task is over. The first read of storage and cookies and the start of the Pixel
// take longer than the rest of `init()`.
const late = []

/** Runs the delayed tasks now, because the page's next call needs them. */
export const catchUp = () => late.splice(0).forEach(quiet)

/** Delays a task until the page's current task is over. */
export const putOff = (task) => {
  late.push(task)
  setTimeout(catchUp)
}

/** The handling of a call: `open` sends it, `held` keeps it in memory, `denied` drops it. */
export let gate = 'held'

export const setGate = (state) => {
  gate = state
}

/** The module has stopped and is not called again. */
export const stopped = () => {
  attach(() => {})
  setGate('held')
}

/** Effects that the module requested and that are not carried out yet. */
const asked = []

/** Carries out a task after the current call. */
export const ask = (task) => void asked.push(task)

/** Calls the module and carries out the requested effects. Returns their results, which include started requests. */
export const step = (call, ...values) => {
  catchUp()
  core(call, ...values)
  return asked.splice(0).map(quiet)
}

/** Tells Rust about an event of the page. Returns the requests that follow. */
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
