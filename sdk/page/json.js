// Converts values to JSON, also on pages whose scripts added a `toJSON` to arrays or all objects (Prototype.js).

import { quiet } from './host.js'

/**
 * Returns `value` as JSON. A member that JSON cannot represent, such as a function or a Map, is left out, and `leftOut` is
 * called with the member's name. If the member is a number such as NaN, `leftOut` also gets the word `number`. If such members
 * were not left out, they would look like null or like an empty object.
 */
export const toJson = (value, leftOut) =>
  JSON.stringify(value, function (name, made) {
    // Read the original value, on which no `toJSON` was called.
    const own = this[name]
    // Write a larger value as a text, because a number above 2^53 would be rounded.
    if (typeof own == 'bigint') return Number.isSafeInteger(Number(own)) ? Number(own) : own + ''
    const kept = Array.isArray(own) || own?.toJSON == Object.prototype.toJSON ? own : made
    const isNone = own != null && kept == null
    const isOdd = /^(fun|sym)/.test(typeof kept) || (kept?.forEach && !Array.isArray(kept))
    if (typeof kept == 'number' && !isFinite(kept)) return leftOut?.(name, 'number')
    return isNone || isOdd ? leftOut?.(name) : kept
  })

export const isObject = (value) => Object.prototype.toString.call(value) == '[object Object]'

/**
 * Copies an object as JSON, because the page may change its own object later. If a member cannot be read (a getter that throws,
 * a circle), only this member is left out. Returns false if `object` is not a plain object.
 */
export const copyOf = (object, leftOut) =>
  isObject(object) &&
  Object.assign(
    {},
    ...Object.keys(object).map(
      (name) => quiet(() => JSON.parse(toJson({ [name]: object[name] }, leftOut))) ?? leftOut(name),
    ),
  )
