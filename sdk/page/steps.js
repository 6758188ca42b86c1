// Calls the Rust module. After each call, the effects that the module has requested (see effect.rs) are carried out in order.

import { attach, core } from './core.js'
import { quiet } from './host.js'

// The words, in the order of the numbers by which Rust knows them.
export const word = (number) => WORDS.split(' ')[number]

/** Returns the number that Rust uses for a word, or -1 for an unknown word. */
export const numberOf = (status) => WORDS.split(' ').indexOf(status)

// Tasks that can wait until the page's current task is over. They are delayed because the first read of storage and cookies,
// and the start of the Pixel, take longer than the rest of `init()`.
const late = []

/** Runs the delayed tasks now, because the page's next call needs them. */
export const catchUp = () => late.splice(0).forEach(quiet)

/** Delays a task until the page's current task is over. */
export const putOff = (task) => {
  late.push(task)
  setTimeout(catchUp)
}

/**
 * How calls are handled: `open` means that they are sent, `held` that they are kept in memory, and `denied` that they are
 * dropped.
 */
export let gate = 'held'

export const setGate = (state) => {
  gate = state
}

/** Records that the module has stopped and must not be called again. */
export const stopped = () => {
  attach(() => {})
  setGate('held')
}

/** Effects that the module requested and that are not carried out yet. */
const asked = []

/** Adds an effect, which is carried out after the current call of the module. */
export const ask = (task) => void asked.push(task)

/**
 * Calls the module, and carries out the effects that it requests. Returns the results of the effects. The results include the
 * promises of started requests.
 */
export const step = (call, ...values) => {
  catchUp()
  core(call, ...values)
  return asked.splice(0).map(quiet)
}

/** Tells the module that something happened on the page. Returns the requests that the module has started because of it. */
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
