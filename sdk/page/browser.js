// Duet on a page: brings the Rust module up, and keeps every exception away from the page.

import { open, openLater } from 'source'
import { attach } from './core.js'
import { CONSENT, HURRY, INIT, LEAVE, WAKE, catchUp, gate, happened, putOff, step, stopped } from './effects.js'
import { letGo } from './early.js'
import { fire, userFields } from './fire.js'
import { held, hold, replay } from './held.js'
import { quiet } from './host.js'
import { eventId } from './ids.js'
import { emit, on } from './listeners.js'
import { watch } from './orders.js'
import { events, storedEvents } from './outbox.js'
import { propertiesOf } from './properties.js'
import { configure, settings } from './requests.js'
import { addPixel, identify, view } from './ttq.js'
import { learn, remember, reset } from './visitor.js'

/** Whether the module runs. */
let isUp
/** Fulfilled when the module is there, where it has to be fetched. */
let ready
/** What the first `init()` was given. */
let early

const fail = (error) => {
  // A trap may leave the module half-way through something; it is never called again.
  stopped()
  isUp = true
  held.length = 0
  emit('error', { code: 'core', message: 'Duet stopped working on this page: ' + error })
}

const up = (call) => {
  attach((...values) => {
    try {
      return call(...values)
    } catch (error) {
      fail(error)
    }
  })
  isUp = true
  replay()
}

const leaveEarly = () => isUp || quiet(() => letGo(early))

const bringUp = () => {
  catchUp()
  if (isUp || ready || typeof document == 'undefined') return isUp
  try {
    up(open())
  } catch {
    ready = openLater().then(up).catch((error) => {
      // Firefox breaks off what it loads before it says that the page is left.
      leaveEarly()
      fail(error)
    })
  }
  return isUp
}

const run = (task) => {
  if (bringUp()) quiet(task)
  else if (ready) hold(task)
}

let begun
const beginning = new Promise((resolve) => {
  begun = resolve
})

const init = (config) => {
  run(() => {
    if (!settings) {
      configure(config)
      if (config.debug) import('./debug.js').then((debug) => debug.start(on, settings)).catch(console.warn)
      listen()
      addPixel(config)
      step(INIT, known(config.consent ?? 'granted'))
      replay()
      begun()
    } else {
      addPixel(config)
    }
  })
  early ??= config
  if (ready) addEventListener('pagehide', leaveEarly)
  return Promise.resolve(ready).then(() => new Promise(putOff))
}

/** A choice by the number consent.rs has for it. */
const known = (consent) => {
  const choice = ['granted', 'pending', 'denied'].indexOf(consent)
  if (choice < 0) emit('error', { code: 'config', field: 'consent' })
  return choice
}

const listen = () => {
  const hurry = () => happened(HURRY)
  addEventListener('pagehide', () => happened(LEAVE))
  addEventListener('online', hurry)
  addEventListener('pageshow', hurry)
  document.addEventListener('visibilitychange', () => happened(document.hidden ? LEAVE : WAKE))
}

const watchOrder = (orderId, options) => {
  const { onPaid, intervalMs = 3000, timeoutMs = 1_800_000, properties, ...rest } = options ?? {}
  return watch(beginning, orderId, intervalMs, timeoutMs, ({ CompletePayment, Purchase }) => {
    // One sale has one id, whatever the proxy has called it.
    track(true, true, 'CompletePayment', properties, { ...rest, orderId, eventId: CompletePayment ?? Purchase })
    onPaid?.()
  })
}

const track = (...call) => fire(bringUp(), ready, ...call)

/** The calls of this page. */
export const browser = {
  init,
  identify(user) {
    const fields = quiet(() => userFields(user))
    const task = () => {
      // A phone number cannot be read before the country is known.
      if (!settings) return hold(task)
      const keys = learn(fields)
      if (gate) return
      remember()
      identify(keys)
    }
    if (fields) run(task)
  },
  reset() {
    run(() => {
      // An identity nobody has looked at yet is not worth keeping.
      held.splice(0, held.length, ...held.filter((task) => task.number))
      reset()
    })
  },
  setConsent(consent) {
    const task = () => {
      step(CONSENT, known(consent))
      replay()
    }
    task.choice = consent
    run(task)
  },
  page() {
    run(view)
  },
  eventIdFor: (event, orderId) => quiet(() => eventId(event, orderId)) ?? '',
  watchOrder,
  flush: async () => {
    await ready
    if (isUp) await Promise.all(happened(HURRY))
  },
  // What is stored may be an earlier page's, or another tab's, of which this page does not know yet.
  pending: () => (isUp ? Math.max(events.filter(Boolean).length, storedEvents().length) : 0) + held.length,
  on,
  fire: track,
  fireFields: (event, fields, options) => track(true, true, event, quiet(() => propertiesOf(fields)), options),
}
