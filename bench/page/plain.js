// The reference for the SDK: the same work inside a call, in plain JavaScript and without the SDK's guarantees.

const k = []
const start = []
const fraction = (x) => ((x % 1) * 2 ** 32) | 0
for (let n = 2; k.length < 64; n += 1) {
  let divisor = 2
  while (n % divisor) divisor += 1
  if (divisor < n) continue
  if (start.length < 8) start.push(fraction(n ** 0.5))
  k.push(fraction(n ** (1 / 3)))
}

const rotate = (x, by) => (x >>> by) | (x << (32 - by))

function sha256(text) {
  const message = new TextEncoder().encode(text)
  const { length } = message
  const words = new Int32Array((((length + 8) >> 6) + 1) * 16)
  for (let at = 0; at < length; at += 1) words[at >> 2] |= message[at] << (24 - (at % 4) * 8)
  words[length >> 2] |= 128 << (24 - (length % 4) * 8)
  words[words.length - 1] = length * 8
  const h = Int32Array.from(start)
  const w = new Int32Array(64)
  for (let block = 0; block < words.length; block += 16) {
    let [a, b, c, d, e, f, g, last] = h
    for (let i = 0; i < 64; i += 1) {
      if (i < 16) {
        w[i] = words[block + i]
      } else {
        const x = w[i - 15]
        const y = w[i - 2]
        const low = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)
        const high = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10)
        w[i] = (w[i - 16] + low + w[i - 7] + high) | 0
      }
      const first = (last + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0
      const second = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
      ;[last, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0]
    }
    for (const [i, word] of [a, b, c, d, e, f, g, last].entries()) h[i] = (h[i] + word) | 0
  }
  return Array.from(h, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

/** Three digests of one person, in the form of `user` in an event. */
export const digests = ({ email, phone, externalId }) => ({
  email: sha256(email.trim().toLowerCase()),
  phone: sha256('+84' + phone.replace(/\D/g, '').replace(/^0/, '')),
  external_id: sha256(externalId.trim()),
})

/** Does the work of `init()`: the identity, the click id, TikTok's base code with its script, and waiting events. */
export function init({ pixelId, pixelScriptUrl }) {
  const user = localStorage.getItem('plain-user')?.split(',') ?? []
  const clicked = new URL(location.href).searchParams.get('ttclid')
  if (clicked) document.cookie = `ttclid=${clicked};max-age=2592000;path=/;samesite=lax`
  const ttclid = clicked ?? document.cookie.match(/(?:^|; )ttclid=([^;]*)/)?.[1]
  const left = Object.keys(localStorage).filter((key) => key.startsWith('plain:'))
  const methods = ['page', 'track', 'identify', 'ready', 'on', 'off', 'once', 'enableCookie', 'disableCookie', 'holdConsent', 'grantConsent']
  const defer = (queue) => {
    for (const method of methods) queue[method] = (...args) => queue.push([method, ...args])
    return queue
  }
  const pixel = defer([])
  window.ttq = defer([])
  window.ttq._i = { [pixelId]: pixel }
  const script = document.createElement('script')
  script.src = `${pixelScriptUrl}?sdkid=${pixelId}&lib=ttq`
  document.head.append(script)
  pixel.page()
  addEventListener('pagehide', () => {})
  return Promise.resolve({ user, ttclid, left })
}

/** Reports an event on both legs. The proxy's copy is stored, and sent after the task. */
export function trackDualEvent(event, properties, { user }) {
  const eventId = crypto.randomUUID()
  const ttclid = document.cookie.match(/(?:^|; )ttclid=([^;]*)/)?.[1]
  const key = `plain:${Date.now()}-${Math.random()}`
  const body = {
    event,
    event_id: eventId,
    event_time: Math.floor(Date.now() / 1000),
    properties: JSON.parse(JSON.stringify(properties)),
    page: { url: location.href, referrer: document.referrer || undefined },
    user: { ...digests(user), ttclid, locale: navigator.language },
  }
  localStorage.setItem(key, JSON.stringify(body))
  window.ttq.track(event, properties, { event_id: eventId })
  clearTimeout(trackDualEvent.timer)
  trackDualEvent.timer = setTimeout(() => localStorage.removeItem(key))
  return eventId
}
