// Calls that cannot run yet: the module is still being fetched, `init()` has not been called, or
// consent is pending. They are in this page's memory only.

import { catchUp } from './effects.js'
import { quiet, remove } from './host.js'
import { emit, settle } from './listeners.js'
import { phase } from './phase.js'

const MOST = 1000

/** Functions; those that report an event have the `number` of its ticket and its `id`. */
export const held = []

export const hold = (task) => {
  held.push(task)
  if (held.length <= MOST) return
  const { number, id, key } = held.shift()
  if (key) remove(key)
  emit('error', { code: 'full', eventId: id })
  if (number) settle(number, id, 'dropped')
}

/** Makes them again, in order; what still cannot run is held once more. */
export const replay = () =>
  held.splice(0).forEach((task) => {
    catchUp()
    if (phase.isUp) quiet(task)
    else hold(task)
  })
