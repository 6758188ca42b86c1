// Waiting for an order to be paid.

import { quiet } from './host.js'

const LONGEST_MS = 30_000

/**
 * Asks `url` for the order's status until it is paid; then calls `paid` with the ids its events have.
 * Waits longer from time to time, and not at all while the page is hidden. Gives back a function that stops it.
 */
export const poll = (url, credentials, intervalMs, timeoutMs, paid) => {
  const end = Date.now() + timeoutMs
  const longest = Math.max(LONGEST_MS, intervalMs)
  let timer
  let stopped
  const stop = () => {
    stopped = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', look)
  }
  const look = async () => {
    clearTimeout(timer)
    if (stopped || document.hidden) return
    if (Date.now() > end) return stop()
    try {
      const { status, event_ids } = await (await fetch(url, { credentials })).json()
      if (stopped) return
      if (status == 'paid') {
        stop()
        return quiet(() => paid(event_ids ?? {}))
      }
    } catch {
      // Offline, or no such order yet.
    }
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(look, intervalMs)
    intervalMs = Math.min(intervalMs * 1.3, longest)
  }
  document.addEventListener('visibilitychange', look)
  look()
  return stop
}
