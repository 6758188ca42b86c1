// TikTok's Pixel on this page: its base code, the calls to it, and whether it is running.
//
// The base code is a queue, and a script from TikTok empties the queue. If the script is blocked, the queue is never emptied,
// but there is no error. So Duet asks the Pixel to call back. Duet makes every call on the instance of one pixel id, so that
// other pixels of the page do not receive the call. The page can also have TikTok's base code itself, before or after Duet's,
// and for the same pixel. Then only one of the two base codes loads the script, and only one page view is reported.

import { absolute, here, ofDocument, quiet } from './host.js'
import { toJson } from './json.js'
import { emit } from './listeners.js'
import { happened } from './steps.js'

const SCRIPT = 'https://analytics.tiktok.com/i18n/pixel/events.js'
const METHODS =
  'page track identify instances debug on off once ready alias group enableCookie disableCookie holdConsent revokeConsent grantConsent'
// If the Pixel has not answered after this time, it counts as blocked. A later answer still changes this.
const PATIENCE_MS = 10_000
// If the script has loaded but done nothing for this time, an ad blocker has replaced it.
const IDLE_MS = 3000

/** The state of the Pixel: `fired`, `blocked`, `absent` or `off`. It is undefined while the state is unknown. */
export let verdict
/** The ids of this page's pixels. An empty id means the page's own pixel. */
export const pixels = []

/** The codes of the pixels to which the proxy reports events. `undefined` means that the proxy chooses the pixel. */
export const codes = []

const starts = []
let policy
/** The queue that `guarded` has protected. */
let safe
let isOpen
let wasOpen
let said
let viewed

// A code is checked strictly, because it becomes a part of a script's address.
const isCode = (id) => /^[A-Z\d]{10,40}$/.test(id)

/** Adds a pixel to which the proxy reports events, whether or not this page runs the pixel. */
export const addCode = ({ pixelId, pixel }) => {
  const code = isCode(pixelId) ? pixelId : undefined
  if ((code || pixel == 'existing') && !codes.includes(code)) codes.push(code)
}

/** Returns the bodies of an event for the proxy, one body for each pixel. If there are several bodies, each names its pixel. */
export const forProxy = (body) => (codes.length > 1 ? codes : [undefined]).map((pixel_id) => ({ ...body, pixel_id }))

/** Adds a pixel, once. If other pixels are already running, the new one starts at once. */
export const addPixel = ({ pixelId: id = '', pixel, pixelScriptUrl, autoPage, nonce }) => {
  const existing = pixel == 'existing'
  const script = pixelScriptUrl ? absolute(pixelScriptUrl) : SCRIPT
  if (pixel == 'off' || pixels.includes(id)) return
  if (!isCode(id) && !(existing && id === '')) return emit('error', { code: 'config', field: 'pixelId' })
  pixels.push(id)
  const start = () => {
    if (existing) {
      // The page's own base code reports the first page view.
      viewed ??= here()
      return watch(id)
    }
    const ttq = base(script, nonce)
    const isPages = ttq._i?.[id]
    // If a page view is still in the queue for all pixels, TikTok's script will report it for this pixel too.
    const isViewed = isPages || quiet(() => [...ttq].some(([method]) => method == 'page'))
    const options = {}
    // Duet's `page()` reports new pages. Without this setting, the Pixel and Duet would count a page twice.
    if (!autoPage) options.historyObserver = false
    if (navigator.globalPrivacyControl) options.limited_data_use = true
    if (!isPages) quiet(() => ttq.load(id, options, script))
    watch(id)
    // This is the first page view, as in TikTok's own base code.
    if (!isViewed) tell(id, 'page')
    viewed = here()
  }
  starts.push(start)
  if (isOpen) quiet(start)
}

/** Starts or restarts the Pixel, for the person whom the three digests identify. */
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

/** Stops a running Pixel, as far as this is possible. */
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
 * Tells the Pixel who the visitor is, but the same visitor only once. The Pixel attaches the digests to all later events. The
 * field names say that the values are digests, because under the plain names the Pixel would hash the digests again.
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

/** Reports an event of the person whom the three digests identify. */
export const report = (event, properties, eventId, keys) => {
  identify(keys)
  tellAll('track', event, properties, { event_id: eventId })
}

/** Reports a page view, but the same address only once. */
export const view = () => {
  if (!isOpen || viewed == here()) return
  viewed = here()
  // Skip a pixel that watches the address itself, because it has already reported the view.
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
  // If the page's own base code does not know this pixel, make the call for all pixels of the page.
  const target = !id || (ttq._i && !ttq._i[id]) ? ttq : ttq.instance(id)
  target[method](...args)
}

/** Finds out whether the Pixel empties its queue. */
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

// Stores and reports the state of the Pixel, after the present call. Once a script has emptied the queue, the state `fired` is
// final.
const found = (state) =>
  queueMicrotask(() => {
    if (state == verdict || verdict == 'fired') return
    verdict = state
    emit('pixel', { state })
    happened(WAKE)
  })

// Creates the queue as TikTok's base code does: an array whose methods record their calls. Later, the script from TikTok
// processes the recorded calls and replaces the methods.
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
    // Do not replace the methods of a target that TikTok's script has already set.
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
    // With Trusted Types, a page must list this policy in its own policy.
    policy ??= window.trustedTypes?.createPolicy('duet', { createScriptURL: (url) => url })
    const url = `${source}?sdkid=${id}&lib=ttq`
    element.src = policy?.createScriptURL(url) ?? url
    ofDocument('head').append(element)
  }
  return guarded(ttq)
}

/**
 * Protects a running Pixel from the page's own base code, if that code runs later. Without protection, the page's base code
 * would do three kinds of harm: if it loads a pixel again, it empties the pixel's queue. It replaces methods of TikTok's script
 * by queues. It reports the page view again for every pixel.
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
