// Duet on a page: brings the Rust module up, and keeps every exception away from the page. Where there is no page (a worker, a
// worklet) no module is brought up, and every call does nothing but answer with an id.

import { open, openLater } from 'source'
import { attach } from './core.js'
import { DENIED_KEY, catchUp, clear, gate, happened, putOff, step, stopped } from './effects.js'
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
import { addPixel, identify, view } from './ttq.js'
import { forget, learn, remember, reset } from './visitor.js'

/** Fulfilled when the module is there, where it has to be fetched. */
let ready
/** What the first `init()` was given, with its defaults. */
let early
/** The visitor's choice, of which the last counts and init()'s is the first. */
let choice

const fail = (error) => {
  // A trap may leave the module half-way through something; it is never called again.
  stopped()
  phase.isUp = false
  phase.isComing = true
  emit('error', { code: 'core', message: error + '' })
  // Whatever it had not come to store.
  events.forEach(({ key, stored }) => key && write(key, stored))
  keepEarly()
}

/** Where there is no module, what is called is stored without it. */
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
    up(open())
  } catch {
    phase.isComing = true
    ready = openLater().then(up).catch((error) => {
      // Firefox breaks off what it loads before it says that the page is left.
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
  // A page that is made ready before anybody sees it begins when it is shown, and may never be.
  if (ofDocument('prerendering')) {
    addEventListener('prerenderingchange', () => quiet(() => begin(config)), { once: true, capture: true })
  } else {
    quiet(() => begin(config))
  }
  return Promise.resolve(ready).then(() => new Promise((done) => (phase.isUp ? putOff(done) : done())))
}

/** A choice by the number Rust has for it. */
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
  // The document's own events are caught on their way to it: a form may be called like the method that listens there.
  addEventListener('visibilitychange', () => (ofDocument('hidden') ? happened(LEAVE) : happened(WAKE)), true)
}

const watchOrder = (orderId, options) => {
  const { onPaid, intervalMs = 3000, timeoutMs = 1_800_000, properties, ...rest } = options ?? {}
  return watch(beginning, orderId, intervalMs, timeoutMs, ({ CompletePayment, Purchase }) => {
    // One sale has one id, whatever the proxy has called it.
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

/** The calls of this page. */
export const browser = {
  init,
  identify(user) {
    const fields = quiet(() => userFields(user))
    const task = () => {
      // A phone number cannot be read before the country is known.
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
      // An identity nobody has looked at yet is not worth keeping.
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
  // What is stored may be an earlier page's, or another tab's, of which this page does not know yet.
  pending: () => (phase.isUp ? Math.max(events.filter(Boolean).length, storedEvents().length) : 0) + held.length,
  on,
  fire: track,
  fireFields: (event, fields, options) => track(BOTH, event, quiet(() => propertiesOf(fields)), options),
}
