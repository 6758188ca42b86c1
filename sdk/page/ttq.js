// TikTok's Pixel on this page: its base code, and whether it runs.

import { join, quiet } from './host.js'
import { happened } from './effects.js'

const SCRIPT = 'https://analytics.tiktok.com/i18n/pixel/events.js'
const METHODS =
  'page track identify instances debug on off once ready alias group enableCookie disableCookie holdConsent revokeConsent grantConsent'
// One that has not answered by then does not run; one that answers later is believed.
const PATIENCE_MS = 10_000
// A script that came and did nothing is a blocker's stand-in.
const IDLE_MS = 3000

let nonce

export const setNonce = (value) => {
  nonce = value
}

/** Has the base code in place for a pixel, unless the page has it already. */
export const load = (id, script, options) => {
  const ttq = base()
  if (!ttq._i?.[id]) ttq.load(id, JSON.parse(options), script || SCRIPT)
  watch(id)
}

/** Finds out whether the Pixel drains its queue. */
export const watch = (id) => {
  const { ttq } = window
  if (!ttq) return found('absent')
  quiet(() => ttq.ready(() => found('fired')))
  setTimeout(found, PATIENCE_MS, 'blocked')
  const element = id && document.querySelector(`script[src*="sdkid=${id}"]`)
  if (!element) return
  element.addEventListener('error', () => found('blocked'))
  element.addEventListener('load', () => setTimeout(found, IDLE_MS, 'blocked'))
}

/** Calls a method of one pixel. */
export const tell = (id, method, args) => {
  const { ttq } = window
  if (!ttq) return found('absent')
  // A page's own queue may not know this pixel; then that page's pixels get it.
  const target = !id || (ttq._i && !ttq._i[id]) ? ttq : ttq.instance(id)
  target[method](...args)
}

// What is found during a call is told after it.
const found = (state) => {
  queueMicrotask(() => happened('pixel', join([state])))
}

// The queue protocol of TikTok's base code: an array whose methods note what was called on it, until
// the script from TikTok takes the notes and the methods over.
const base = () => {
  window.TiktokAnalyticsObject = 'ttq'
  const ttq = (window.ttq = window.ttq || [])
  if (ttq.load) return ttq
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
  ttq.load = (id, options = {}, source = SCRIPT) => {
    ttq._i = ttq._i || {}
    ttq._i[id] = []
    ttq._i[id]._u = source
    ttq._t = ttq._t || {}
    ttq._t[id] = Date.now()
    ttq._o = ttq._o || {}
    ttq._o[id] = options
    const element = document.createElement('script')
    element.async = true
    if (nonce) element.nonce = nonce
    element.src = `${source}?sdkid=${id}&lib=ttq`
    document.head.append(element)
  }
  return ttq
}
