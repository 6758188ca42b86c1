// TikTok's Pixel on this page: its base code, what it is told, and whether it runs.
//
// The base code is a queue that a script from TikTok drains. A blocked script leaves the queue standing
// and nobody notices, so Duet asks the Pixel to call back. Everything goes to the instance of one pixel
// id, so other pixels of the page see nothing twice. The page may have TikTok's base code too, before or after, and for the
// same pixel: then one of the two loads it, and one page view is reported.

import { happened } from './effects.js'
import { absolute, here, ofDocument, quiet } from './host.js'
import { toJson } from './json.js'
import { emit } from './listeners.js'

const SCRIPT = 'https://analytics.tiktok.com/i18n/pixel/events.js'
const METHODS =
  'page track identify instances debug on off once ready alias group enableCookie disableCookie holdConsent revokeConsent grantConsent'
// One that has not answered by then does not run; one that answers later is believed.
const PATIENCE_MS = 10_000
// A script that came and did nothing is a blocker's stand-in.
const IDLE_MS = 3000

/** What became of the Pixel: `fired`, `blocked`, `absent` or `off`; undefined while unknown. */
export let verdict
/** The ids of this page's pixels. An empty one is whatever pixel the page itself has. */
export const pixels = []

const starts = []
let policy
/** The queue that is guarded. */
let safe
let isOpen
let wasOpen
let said
let viewed

/** Adds a pixel, once. It starts at once where others run already. */
export const addPixel = ({ pixelId: id = '', pixel, pixelScriptUrl, autoPage, nonce }) => {
  const existing = pixel == 'existing'
  const script = pixelScriptUrl ? absolute(pixelScriptUrl) : SCRIPT
  if (pixel == 'off' || pixels.includes(id)) return
  // The id becomes part of a script's address.
  if (!/^[A-Z\d]{10,40}$/.test(id) && !(existing && id === '')) return emit('error', { code: 'config', field: 'pixelId' })
  pixels.push(id)
  const start = () => {
    if (existing) {
      // Base code of the page's own reports the first page view itself.
      viewed ??= here()
      return watch(id)
    }
    const ttq = base(script, nonce)
    const isPages = ttq._i?.[id]
    // A page view that is still in the queue of all pixels is one of this pixel's, too.
    const isViewed = isPages || quiet(() => [...ttq].some(([method]) => method == 'page'))
    const options = {}
    // Duet's `page()` says when there is a new page; both would count it twice.
    if (!autoPage) options.historyObserver = false
    if (navigator.globalPrivacyControl) options.limited_data_use = true
    if (!isPages) quiet(() => ttq.load(id, options, script))
    watch(id)
    // As in TikTok's own base code, this is the first page view.
    if (!isViewed) tell(id, 'page')
    viewed = here()
  }
  starts.push(start)
  if (isOpen) quiet(start)
}

/** Brings the Pixel up, or back, for the person of three digests. */
export const openPixel = (keys) => {
  isOpen = true
  if (!pixels[0] && !starts[0]) return found('off')
  if (wasOpen) {
    tellAll('enableCookie')
    tellAll('grantConsent')
  } else {
    starts.forEach(quiet)
  }
  wasOpen = true
  identify(keys)
}

/** Stops a Pixel that runs already, as far as it lets itself be stopped. */
export const stopPixel = (denied) => {
  isOpen = false
  if (denied) {
    said = ''
    tellAll('revokeConsent')
    tellAll('disableCookie')
  } else {
    tellAll('holdConsent')
  }
}

/**
 * Says who is here, once: the Pixel attaches it to everything that follows. The names are those for
 * digests; under its plain names it would hash them again.
 */
export const identify = ([email, phone, id]) => {
  const text = toJson({
    sha256_email: email || undefined,
    sha256_phone_number: phone || undefined,
    external_id: id || undefined,
  })
  if (!text[2] || text == said) return
  said = text
  tellAll('identify', JSON.parse(text))
}

/** Reports an event about the person of three digests. */
export const report = (event, properties, eventId, keys) => {
  identify(keys)
  tellAll('track', event, properties, { event_id: eventId })
}

/** Reports a page view, once per address. */
export const view = () => {
  if (!isOpen || viewed == here()) return
  viewed = here()
  // A pixel that watches the address itself has seen it.
  pixels.forEach((id) => watchesAddress(id) || quiet(() => tell(id, 'page')))
}

const watchesAddress = (id) => {
  const options = window.ttq?._o ?? {}
  const own = id ? options[id] : Object.values(options)[0]
  return own && own.historyObserver !== false
}

const tellAll = (...call) => pixels.forEach((id) => quiet(() => tell(id, ...call)))

/** Calls a method of one pixel. */
const tell = (id, method, ...args) => {
  const { ttq } = window
  if (!ttq) return found('absent')
  // A page's own queue may not know this pixel; then that page's pixels get it.
  const target = !id || (ttq._i && !ttq._i[id]) ? ttq : ttq.instance(id)
  target[method](...args)
}

/** Finds out whether the Pixel drains its queue. */
const watch = (id) => {
  const { ttq } = window
  if (!ttq) return found('absent')
  quiet(() => ttq.ready(() => found('fired')))
  setTimeout(found, PATIENCE_MS, 'blocked')
  const element = id && ofDocument('querySelector').call(document, `script[src*="sdkid=${id}"]`)
  if (!element) return
  element.addEventListener('error', () => found('blocked'))
  element.addEventListener('load', () => setTimeout(found, IDLE_MS, 'blocked'))
}

// What is found during a call is told after it. A script that drained the queue has done so for good.
const found = (state) =>
  queueMicrotask(() => {
    if (state == verdict || verdict == 'fired') return
    verdict = state
    emit('pixel', { state })
    happened(WAKE)
  })

// The queue protocol of TikTok's base code: an array whose methods note what was called on it, until
// the script from TikTok takes the notes and the methods over.
const base = (script, nonce) => {
  window.TiktokAnalyticsObject = 'ttq'
  const ttq = (window.ttq ??= [])
  if (ttq.load) return guarded(ttq)
  const methods = (ttq.methods = METHODS.split(' '))
  ttq.setAndDefer = (target, method) => {
    target[method] = (...args) => {
      target.push([method, ...args])
    }
  }
  const defer = (target) => {
    // What the script has taken over stays its own.
    if (!target.track) for (const method of methods) ttq.setAndDefer(target, method)
    return target
  }
  defer(ttq)
  ttq.instance = (id) => defer(ttq._i[id] || [])
  ttq.load = (id, options = {}, source = script) => {
    ttq._i ??= {}
    ttq._i[id] = []
    ttq._i[id]._u = source
    ttq._t ??= {}
    ttq._t[id] = Date.now()
    ttq._o ??= {}
    ttq._o[id] = options
    const element = ofDocument('createElement').call(document, 'script')
    if (nonce) element.nonce = nonce
    // Under Trusted Types a page has to name this policy in its own.
    policy ??= window.trustedTypes?.createPolicy('duet', { createScriptURL: (url) => url })
    const url = `${source}?sdkid=${id}&lib=ttq`
    element.src = policy?.createScriptURL(url) ?? url
    ofDocument('head').append(element)
  }
  return guarded(ttq)
}

/**
 * Keeps what runs safe from base code of the page's own that comes later: it would empty the queue of a pixel that it loads
 * again, put queues in the place of methods that TikTok's script has taken over, and view the page once more for every pixel.
 */
const guarded = (ttq) => {
  if (safe == ttq) return ttq
  safe = ttq
  let { load, page, setAndDefer } = ttq
  const guard = (method, call, replace) =>
    Object.defineProperty(ttq, method, { get: () => call, set: replace, configurable: true })
  guard(
    'load',
    (id, ...more) => pixels.includes(id) && ttq._i?.[id] ? undefined : load.call(ttq, id, ...more),
    (theirs) => (load = theirs),
  )
  guard(
    'page',
    (...call) => {
      if (!isOpen || viewed != location.href) {
        viewed = location.href
        return page.apply(ttq, call)
      }
      const others = Object.keys(ttq._i ?? {}).filter((id) => !pixels.includes(id))
      others.forEach((id) => ttq.instance(id).page(...call))
    },
    (theirs) => (page = theirs),
  )
  guard(
    'setAndDefer',
    (target, method) => Object.keys(target).includes(method) || setAndDefer.call(ttq, target, method),
    () => {},
  )
  return ttq
}
