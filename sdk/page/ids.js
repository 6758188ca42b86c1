// Ids where there is no WebAssembly: on a server, and for the moment in which a strict
// Content-Security-Policy makes the page fetch the translated module. The rules are those of the
// `duet-events` crate, and the same vectors hold them.

/** The caller's own id if it is one, else the order's, else a random one. */
export const eventId = (event, orderId, own) => {
  if (/^[\w.:-]{1,64}$/.test(own ?? '')) return String(own)
  if (orderId != null && orderId !== '') return ofOrder(event, orderId)
  return uuid(randomBytes(), 0x40)
}

export const randomBytes = () => {
  const bytes = new Uint8Array(16).map(() => Math.random() * 256)
  // Some pages and some old runtimes have no `crypto`; an id need not be a secret.
  return globalThis.crypto?.getRandomValues(bytes) ?? bytes
}

export const hex = (bytes) => Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join('')

// SHA-256 of `duet/1|<event>|<order_id>`, as a version-8 UUID.
const ofOrder = (event, orderId) => {
  const digest = sha256(new TextEncoder().encode(`duet/1|${event}|${orderId}`))
  return uuid(digest.slice(0, 16), 0x80)
}

const uuid = (bytes, version) => {
  bytes[6] = (bytes[6] & 15) | version
  bytes[8] = (bytes[8] & 63) | 128
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

const sha256 = (message) => {
  // The first 32 bits of the fractional parts of the square and cube roots of the first primes.
  const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0
  const k = []
  const h = []
  for (let n = 2; k.length < 64; n++) {
    if (k.primes?.some((prime) => n % prime === 0)) continue
    ;(k.primes ??= []).push(n)
    if (h.length < 8) h.push(fraction(n ** (1 / 2)))
    k.push(fraction(n ** (1 / 3)))
  }
  const rotate = (x, by) => (x >>> by) | (x << (32 - by))
  const length = ((message.length + 72) >> 6) << 6
  const view = new DataView(new ArrayBuffer(length))
  message.forEach((byte, at) => view.setUint8(at, byte))
  view.setUint8(message.length, 128)
  view.setUint32(length - 4, message.length * 8)
  const w = new Int32Array(64)
  for (let block = 0; block < length; block += 64) {
    let [a, b, c, d, e, f, g, last] = h
    for (let i = 0; i < 64; i++) {
      const x = w[i - 15]
      const y = w[i - 2]
      w[i] =
        i < 16
          ? view.getInt32(block + i * 4)
          : w[i - 16] +
            (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) +
            w[i - 7] +
            (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10))
      const first =
        last + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i]
      const second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
      last = g
      g = f
      f = e
      e = (d + first) | 0
      d = c
      c = b
      b = a
      a = (first + second) | 0
    }
    ;[a, b, c, d, e, f, g, last].forEach((x, i) => (h[i] = (h[i] + x) | 0))
  }
  const digest = new DataView(new ArrayBuffer(32))
  h.forEach((word, i) => digest.setInt32(i * 4, word))
  return new Uint8Array(digest.buffer)
}
