// SHA-256, for ids that are there at once.

/** The first 32 bits of the fractional parts of the square and cube roots of the first primes: 8 and 64. */
const constants = () => {
  const primes = []
  for (let n = 2; !primes[63]; n++) if (primes.every((prime) => n % prime)) primes.push(n)
  const roots = [...primes.slice(0, 8).map(Math.sqrt), ...primes.map(Math.cbrt)]
  return roots.map((root) => ((root % 1) * 2 ** 32) | 0)
}

/** The digest of a text; of the bytes given back only the first 32 are it. */
export const sha256 = (text) => {
  const message = utf8(text)
  const { length } = message
  const bytes = new Uint8Array(((length + 72) >> 6) << 6)
  const words = new DataView(bytes.buffer)
  bytes.set(Array.from(message, (character) => character.charCodeAt()))
  bytes[length] = 128
  words.setInt32(bytes.length - 4, length * 8)
  const rotate = (x, by) => (x >>> by) | (x << (32 - by))
  const rotates = (x, one, two, three) => rotate(x, one) ^ rotate(x, two) ^ rotate(x, three)
  const k = constants()
  let h = k.splice(0, 8)
  for (let block = 0; block < bytes.length; block += 64) {
    const w = []
    let state = h
    for (let i = 0; i < 64; i++) {
      const [a, b, c, d, e, f, g, last] = state
      const [x, y] = [w[i - 15], w[i - 2]]
      w[i] =
        i < 16
          ? words.getInt32(block + i * 4)
          : (w[i - 16] +
              (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) +
              w[i - 7] +
              (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10))) |
            0
      const first = last + rotates(e, 6, 11, 25) + (g ^ (e & (f ^ g))) + k[i] + w[i]
      const second = rotates(a, 2, 13, 22) + ((a & b) ^ (c & (a ^ b)))
      state = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g]
    }
    h = h.map((word, i) => (word + state[i]) | 0)
  }
  h.forEach((word, i) => words.setInt32(i * 4, word))
  return bytes
}

// UTF-8, a character for each byte. Test environments and worklets have no TextEncoder. Half a surrogate pair becomes
// U+FFFD, as there.
export const utf8 = (text) => unescape(encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, '\ufffd')))
