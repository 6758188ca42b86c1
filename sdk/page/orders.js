// Waiting for an order to be paid.

import { ofDocument, quiet } from './host.js'
import { settings } from './requests.js'

const LONGEST_MS = 30_000

/**
 * From `beginning` on, asks for the order's status until it is paid; then calls `paid` with the ids its events
 * have. Waits longer from time to time, and not at all while the page is hidden. Gives back a function that stops it.
 */
export const watch = (beginning, orderId, intervalMs, timeoutMs, paid) => {
  // 0 where it is over.
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
      // Offline, or no such order yet.
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
