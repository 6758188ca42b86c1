// Ids where there is no WebAssembly: on a server, and for the moment in which a strict
// Content-Security-Policy makes the page fetch the translated module. The rules are those of the
// `duet-events` crate, and the same vectors hold them.

/** The caller's own id if it is one, else the order's, by `derive` or in JavaScript, else a random one. */
export const eventId = (event, orderId, own, derive) => {
  if (/^[\w.:-]{1,64}$/.test(own ?? '')) return own + ''
  const order = (orderId ?? '') + ''
  return order
    ? uuid(derive?.(event + '', order) ?? ofOrder(event, order), 0x80)
    : uuid(randomBytes(), 0x40)
}

export const randomBytes = () => {
  const bytes = new Uint8Array(16).map(() => Math.random() * 256)
  // Some pages and some old runtimes have no `crypto`; an id need not be a secret.
  return globalThis.crypto?.getRandomValues(bytes) ?? bytes
}

const digit = (value) => value.toString(16)

export const hex = (bytes) => bytes.reduce((text, byte) => text + digit(byte >> 4) + digit(byte & 15), '')

// SHA-256 of `duet/1|<event>|<order_id>`, as a version-8 UUID.
const ofOrder = (event, order) => sha256(new TextEncoder().encode(`duet/1|${event}|${order}`))

// The first 16 bytes.
const uuid = (bytes, version) => {
  bytes[6] = (bytes[6] & 15) | version
  bytes[8] = (bytes[8] & 63) | 128
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5')
}

const sha256 = (message) => {
  // The first 32 bits of the fractional parts of the square and cube roots of the first primes.
  const k = []
  let h = []
  const fraction = (x) => ((x % 1) * 2 ** 32) | 0
  for (let n = 2; k.length < 64; n++) {
    let divisor = 2
    while (n % divisor) divisor++
    if (divisor < n) continue
    if (h.length < 8) h.push(fraction(n ** 0.5))
    k.push(fraction(n ** (1 / 3)))
  }
  const { length } = message
  const words = new Int32Array((((length + 8) >> 6) + 1) * 16)
  const put = (byte, at) => {
    words[at >> 2] |= byte << (24 - (at % 4) * 8)
  }
  message.forEach(put)
  put(128, length)
  words[words.length - 1] = length * 8
  const rotate = (x, by) => (x >>> by) | (x << (32 - by))
  const rotates = (x, one, two, three) => rotate(x, one) ^ rotate(x, two) ^ rotate(x, three)
  for (let block = 0; block < words.length; block += 16) {
    const w = []
    let state = h
    for (let i = 0; i < 64; i++) {
      const [a, b, c, d, e, f, g, last] = state
      const [x, y] = [w[i - 15], w[i - 2]]
      w[i] =
        i < 16
          ? words[block + i]
          : (w[i - 16] +
              (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) +
              w[i - 7] +
              (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10))) |
            0
      const first = last + rotates(e, 6, 11, 25) + ((e & f) ^ (~e & g)) + k[i] + w[i]
      const second = rotates(a, 2, 13, 22) + ((a & b) ^ (a & c) ^ (b & c))
      state = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g]
    }
    h = h.map((word, i) => (word + state[i]) | 0)
  }
  return h.flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word].map((byte) => byte & 255))
}
