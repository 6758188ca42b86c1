// Waits for the payment of an order.

import { ofDocument, quiet } from './host.js'
import { settings } from './requests.js'

const LONGEST_MS = 30_000

/**
 * Asks for the order's status again and again, from `beginning` on, until the order is paid. Then calls `paid` with the ids of
 * the order's events. The waits between two requests grow, and no request is sent while the page is hidden. Returns a function
 * that stops the requests.
 */
export const watch = (beginning, orderId, intervalMs, timeoutMs, paid) => {
  // The wait until the next request, or 0 if no more requests are to be sent.
  let end
  let timer
  const look = async () => {
    clearTimeout(timer)
    if (Date.now() > end) return removeEventListener('visibilitychange', look, true)
    if (ofDocument('hidden')) return
    try {
      const { endpoint, credentials } = settings
      const url = new URL('/api/orders/' + encodeURIComponent(orderId), endpoint)
      const { status, event_ids } = await (await fetch(url, { credentials })).json()
      if (end && status == 'paid') {
        end = 0
        quiet(() => paid(event_ids ?? {}))
      }
    } catch {
      // The browser is offline, or the order does not exist yet.
    }
    clearTimeout(timer)
    timer = setTimeout(look, intervalMs)
    intervalMs = Math.min(intervalMs * 1.3, Math.max(LONGEST_MS, intervalMs))
  }
  beginning.then(() => {
    end ??= Date.now() + timeoutMs
    addEventListener('visibilitychange', look, true)
    look()
  })
  return () => {
    end = 0
  }
}
