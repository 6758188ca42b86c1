// TikTok's Pixel on this page: its base code, the calls to it, and whether it is running.
//
// The base code is a queue, and a script from TikTok empties the queue. If the script is blocked, the queue stays and there is
// no error. So Duet asks the Pixel to call back. Every call goes to the instance of one pixel id, so other pixels of the page
// do not receive it. The page can also have TikTok's base code, earlier or later, and for the same pixel. Then one of the two
// loads the script, and one page view is reported.

import { absolute, here, ofDocument, quiet } from './host.js'
import { toJson } from './json.js'
import { emit } from './listeners.js'
import { happened } from './steps.js'

const SCRIPT = 'https://analytics.tiktok.com/i18n/pixel/events.js'
const METHODS =
  'page track identify instances debug on off once ready alias group enableCookie disableCookie holdConsent revokeConsent grantConsent'
// A Pixel that has not answered after this time is not running. A later answer still counts.
const PATIENCE_MS = 10_000
// A script that loaded and did nothing is a blocker's replacement.
const IDLE_MS = 3000

/** The state of the Pixel: `fired`, `blocked`, `absent` or `off`; undefined while unknown. */
export let verdict
/** The ids of this page's pixels. An empty id means the page's own pixel. */
export const pixels = []

/** The codes of the pixels that the proxy reports to. `undefined` means the proxy's choice. */
export const codes = []

const starts = []
let policy
/** The guarded queue. */
let safe
let isOpen
let wasOpen
let said
let viewed

// A code becomes a part of a script's address.
const isCode = (id) => /^[A-Z\d]{10,40}$/.test(id)

/** Lets the proxy report to a pixel, whether or not this page runs it. */
export const addCode = ({ pixelId, pixel }) => {
  const code = isCode(pixelId) ? pixelId : undefined
  if ((code || pixel == 'existing') && !codes.includes(code)) codes.push(code)
}

/** Returns the bodies of an event for the proxy: one for each pixel. If there are several, each body names its pixel. */
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
    // A page view that is still in the queue of all pixels also counts for this pixel.
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

/** Starts or restarts the Pixel, for the person of three digests. */
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
 * Tells the Pixel who the visitor is, once. The Pixel attaches the digests to all later events. The field names are the names
 * for digests. Under the plain names the Pixel would hash the digests again.
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

/** Reports an event of the person of three digests. */
export const report = (event, properties, eventId, keys) => {
  identify(keys)
  tellAll('track', event, properties, { event_id: eventId })
}

/** Reports a page view, once per address. */
export const view = () => {
  if (!isOpen || viewed == here()) return
  viewed = here()
  // A pixel that watches the address itself has already reported the view.
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
  // If the page's own queue does not know this pixel, the page's pixels get the call.
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

// A result found during a call is reported after the call. Once a script has emptied the queue, the result is final.
const found = (state) =>
  queueMicrotask(() => {
    if (state == verdict || verdict == 'fired') return
    verdict = state
    emit('pixel', { state })
    happened(WAKE)
  })

// The queue protocol of TikTok's base code: an array whose methods record the calls. Later the script from TikTok processes
// the records and replaces the methods.
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
    // Keep the methods that TikTok's script has replaced.
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
 * Protects a running Pixel from the page's own base code if that comes later. That code would empty the queue of a pixel
 * that it loads again. That code would replace methods of TikTok's script by queues. That code would also report the page
 * view again for every pixel.
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
