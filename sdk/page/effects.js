// Carries out the effects that the Rust module requests (see effect.rs). This script makes no decisions.

import { PREFIX, keys, remove, setCookie, write } from './host.js'
import { emit } from './listeners.js'
import { events, fares, note } from './outbox.js'
import { PAUSE_KEY, adopt, post } from './requests.js'
import { ask, gate, putOff, setGate, wake, word } from './steps.js'
import { openPixel, stopPixel, verdict } from './ttq.js'
import { forget, recall } from './visitor.js'

const batch = []

/** The storage key that tells other pages of this site that consent was denied on this page. */
export const DENIED_KEY = PREFIX + 'denied'

/** Removes everything that Duet stored on this browser. */
export const clear = () => {
  write(DENIED_KEY, 1)
  keys().forEach(remove)
  setCookie('ttclid', '', 0)
  forget()
}

// The effects that bindings.rs lists, by name.
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
    setGate(GATES.split(' ')[number])
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

/**
 * Returns the imports of the module. A fact is returned at once. An effect is carried out after the call of the module has
 * returned.
 */
export const imports = () => {
  const later = Object.entries(effects()).map(([name, act]) => [name, (...values) => ask(() => act(...values))])
  return {
    [NOW_MS]: () => Date.now(),
    [RANDOM]: () => Math.random(),
    [IS_PIXEL_KNOWN]: () => !!verdict,
    ...Object.fromEntries(later),
  }
}
