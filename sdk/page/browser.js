// Duet on a page. This script starts the Rust module and keeps every exception away from the page. In a worker or a worklet
// there is no page, so this script does not start the module, and a call only returns an id.

import { open, openLater } from 'source'
import { attach } from './core.js'
import { DENIED_KEY, clear, imports } from './effects.js'
import { keep, letGo } from './early.js'
import { explain, unexplained } from './explain.js'
import { fire, userFields } from './fire.js'
import { held, hold, replay } from './held.js'
import { ofDocument, quiet, write } from './host.js'
import { eventId } from './ids.js'
import { emit, on } from './listeners.js'
import { watch } from './orders.js'
import { events, storedEvents } from './outbox.js'
import { phase } from './phase.js'
import { propertiesOf } from './properties.js'
import { configure, settings, withDefaults } from './requests.js'
import { catchUp, gate, happened, putOff, step, stopped } from './steps.js'
import { addCode, addPixel, identify, view } from './ttq.js'
import { forget, learn, remember, reset } from './visitor.js'

/** A promise that is fulfilled when the module is ready, if the module must be fetched. */
let ready
/** The settings of the first `init()`, with defaults. */
let early
/** The visitor's last choice about consent. The first choice comes from `init()`. */
let choice

const fail = (error) => {
  // After a trap (a panic of the module), the module's state may be inconsistent, so the module is never called again.
  stopped()
  phase.isUp = false
  phase.isComing = true
  emit('error', { code: 'core', message: error + '' })
  // Store the events that the module has not stored.
  events.forEach(({ key, stored }) => key && write(key, stored))
  keepEarly()
}

/** Stores calls without the module, if the module is not running. */
const keepEarly = () => phase.isUp || quiet(() => keep(early, choice))

const leaveEarly = () => {
  if (phase.isUp || choice != 'granted') return
  keepEarly()
  quiet(() => letGo(early))
}

const up = (call) => {
  attach((...values) => {
    try {
      return call(...values)
    } catch (error) {
      fail(error)
    }
  })
  phase.isUp = true
  replay()
  keepEarly()
}

const bringUp = () => {
  catchUp()
  if (phase.isUp || phase.isComing || typeof document == 'undefined') return phase.isUp
  try {
    up(open(imports()))
  } catch {
    phase.isComing = true
    ready = openLater(imports()).then(up).catch((error) => {
      // When the page is left, Firefox cancels running loads before it fires the event about leaving, so send the events here.
      leaveEarly()
      fail(error)
    })
  }
  return phase.isUp
}

const run = (task) => {
  if (bringUp()) quiet(task)
  else if (phase.isComing) hold(task)
}

let begun
const beginning = new Promise((resolve) => {
  begun = resolve
})

const begin = (config) => {
  early ??= withDefaults(config)
  addCode(config)
  choice ??= config.consent ?? 'granted'
  run(() => {
    if (!settings) {
      configure(early)
      if (config.debug) explain().then(({ start }) => start(on, settings)).catch(unexplained)
      listen()
      addPixel(config)
      step(INIT, known(config.consent ?? 'granted'))
      replay()
      begun()
    } else {
      addPixel(config)
    }
  })
  addEventListener('pagehide', leaveEarly)
  keepEarly()
}

const init = (config) => {
  // On a prerendered page, Duet starts when the page is shown, because some prerendered pages are never shown.
  if (ofDocument('prerendering')) {
    addEventListener('prerenderingchange', () => quiet(() => begin(config)), { once: true, capture: true })
  } else {
    quiet(() => begin(config))
  }
  return Promise.resolve(ready).then(() => new Promise((done) => (phase.isUp ? putOff(done) : done())))
}

/** Returns the number that Rust uses for a choice. */
const known = (consent) => {
  const choice = CONSENTS.split(' ').indexOf(consent)
  if (choice < 0) emit('error', { code: 'config', field: 'consent' })
  return choice
}

const listen = () => {
  const hurry = () => happened(HURRY)
  addEventListener('pagehide', () => happened(LEAVE))
  addEventListener('online', hurry)
  addEventListener('pageshow', hurry)
  addEventListener('storage', ({ key }) => {
    if (key != DENIED_KEY) return
    forget()
    happened(FORGET)
  })
  // Listen on the window, in the capture phase, because a form with the name `addEventListener` can hide the document's own
  // method.
  addEventListener('visibilitychange', () => (ofDocument('hidden') ? happened(LEAVE) : happened(WAKE)), true)
}

const watchOrder = (orderId, options) => {
  const { onPaid, intervalMs = 3000, timeoutMs = 1_800_000, properties, ...rest } = options ?? {}
  return watch(beginning, orderId, intervalMs, timeoutMs, ({ CompletePayment, Purchase }) => {
    // A sale keeps its id, even if the proxy reported the sale as `Purchase`.
    track(BOTH, 'CompletePayment', properties, { ...rest, orderId, eventId: CompletePayment ?? Purchase })
    onPaid?.()
  })
}

const BOTH = { pixel: true, server: true }

const track = (...call) => {
  bringUp()
  const tracked = fire(...call)
  keepEarly()
  return tracked
}

/** The public calls on a page. */
export const browser = {
  init,
  identify(user) {
    const fields = quiet(() => userFields(user))
    const task = () => {
      // Set the country first, because phone numbers cannot be read without it.
      if (!settings) return hold(task)
      const keys = learn(fields)
      if (gate != 'open') return
      remember()
      identify(keys)
    }
    if (fields) run(task)
  },
  reset() {
    run(() => {
      // Drop held calls of `identify` that no event has used yet.
      held.splice(0, held.length, ...held.filter((task) => task.number))
      reset()
    })
  },
  setConsent(consent) {
    choice = consent
    run(() => {
      step(CONSENT, known(consent))
      replay()
    })
    if (!phase.isUp && consent == 'denied') quiet(clear)
    keepEarly()
  },
  page() {
    run(view)
  },
  eventIdFor: (event, orderId) => quiet(() => eventId(event, orderId)) ?? '',
  watchOrder,
  flush: async () => {
    await ready
    if (phase.isUp) await Promise.all(happened(HURRY))
  },
  // Also count stored events of earlier pages and other tabs, which the module may not know yet.
  pending: () => (phase.isUp ? Math.max(events.filter(Boolean).length, storedEvents().length) : 0) + held.length,
  on,
  fire: track,
  fireFields: (event, fields, options) => track(BOTH, event, quiet(() => propertiesOf(fields)), options),
}
