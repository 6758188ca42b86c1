// SHA-256, for ids that must be available at once and for digests of personal data.

/**
 * Returns the constants of SHA-256: the first 32 bits of the fractional parts of the square roots of 8 primes and the cube
 * roots of 64 primes.
 */
const constants = () => {
  const primes = []
  for (let n = 2; !primes[63]; n++) if (primes.every((prime) => n % prime)) primes.push(n)
  const roots = [...primes.slice(0, 8).map(Math.sqrt), ...primes.map(Math.cbrt)]
  return Int32Array.from(roots, (root) => ((root % 1) * 2 ** 32) | 0)
}

let known

const rotate = (x, by) => (x >>> by) | (x << (32 - by))

/** Hashes a text. The first 32 of the returned bytes are the digest, and the other bytes must be ignored. */
export const sha256 = (text) => {
  const message = utf8(text)
  const { length } = message
  const bytes = new Uint8Array(((length + 72) >> 6) << 6)
  const words = new DataView(bytes.buffer)
  for (let i = 0; i < length; i++) bytes[i] = message.charCodeAt(i)
  bytes[length] = 128
  words.setInt32(bytes.length - 4, length * 8)
  known ??= constants()
  const hash = known.slice(0, 8)
  const w = new Int32Array(64)
  for (let block = 0; block < bytes.length; block += 64) {
    let [a, b, c, d, e, f, g, h] = hash
    for (let i = 0; i < 64; i++) {
      const x = w[i - 15]
      const y = w[i - 2]
      w[i] =
        i < 16
          ? words.getInt32(block + i * 4)
          : w[i - 16] +
            (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) +
            w[i - 7] +
            (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10))
      const first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + known[i + 8] + w[i]
      const second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (c & (a ^ b)))
      h = g
      g = f
      f = e
      e = (d + first) | 0
      d = c
      c = b
      b = a
      a = (first + second) | 0
    }
    ;[a, b, c, d, e, f, g, h].forEach((word, i) => (hash[i] += word))
  }
  hash.forEach((word, i) => words.setInt32(i * 4, word))
  return bytes
}

// Converts a text to UTF-8, one character for each byte. Test environments and worklets have no TextEncoder. Half a surrogate
// pair becomes U+FFFD, as with TextEncoder.
export const utf8 = (text) => unescape(encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, '\ufffd')))
