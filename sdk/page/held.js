// Holds the calls that cannot run yet, because the module is still loading, `init()` has not been called, or consent is
// pending. Held calls are only in this page's memory.

import { quiet, remove } from './host.js'
import { emit, settle } from './listeners.js'
import { phase } from './phase.js'
import { catchUp } from './steps.js'

const MOST = 1000

/**
 * The held functions. A function that reports an event has these members: `number`, the number of the event's ticket, `id`,
 * the event's id, and, if the event goes to the proxy, `early`, which makes the event's bodies without the module.
 */
export const held = []

export const hold = (task) => {
  held.push(task)
  if (held.length <= MOST) return
  const { number, id, keys } = held.shift()
  keys?.forEach(remove)
  emit('error', { code: 'full', eventId: id })
  if (number) settle(number, id, 'dropped')
}

/** Runs the held calls in order. A call that still cannot run is held again. */
export const replay = () =>
  held.splice(0).forEach((task) => {
    catchUp()
    if (phase.isUp) quiet(task)
    else hold(task)
  })
