// Waiting for an order to be paid.

import { quiet } from './host.js'
import { log } from './listeners.js'

const LONGEST_MS = 30_000

/**
 * Asks `url` for the order's status until it is paid; then calls `paid`. Waits longer from time to
 * time, and not at all while the page is hidden. Gives back a function that stops it.
 */
export const poll = (url, credentials, intervalMs, timeoutMs, paid) => {
  const end = Date.now() + timeoutMs
  let wait = intervalMs
  let timer
  let stopped = false
  const stop = () => {
    stopped = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', look)
  }
  const ask = async () => {
    const response = await fetch(url, { credentials })
    const { status } = await response.json()
    if (stopped || status !== 'paid') return
    stop()
    quiet(paid)
  }
  const look = async () => {
    clearTimeout(timer)
    if (stopped || document.hidden) return
    if (Date.now() > end) return stop()
    await ask().catch((error) => log('order status', error))
    if (stopped) return
    timer = setTimeout(look, wait)
    wait = Math.min(wait * 1.3, Math.max(LONGEST_MS, intervalMs))
  }
  document.addEventListener('visibilitychange', look)
  look()
  return stop
}
