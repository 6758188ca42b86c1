// Converts values to JSON, also on pages whose scripts added a `toJSON` to arrays or all objects (Prototype.js).

import { quiet } from './host.js'

/**
 * Returns `value` as JSON. A member that JSON cannot represent, such as a function or a Map, is left out, and `leftOut` is
 * called with its name. A number such as NaN is left out with `number`. If such values stayed, they would look like null or
 * an empty object.
 */
export const toJson = (value, leftOut) =>
  JSON.stringify(value, function (name, made) {
    // Read the value before any `toJSON` was called.
    const own = this[name]
    // Above 2^53 a number would be rounded.
    if (typeof own == 'bigint') return Number.isSafeInteger(Number(own)) ? Number(own) : own + ''
    const kept = Array.isArray(own) || own?.toJSON == Object.prototype.toJSON ? own : made
    const isNone = own != null && kept == null
    const isOdd = /^(fun|sym)/.test(typeof kept) || (kept?.forEach && !Array.isArray(kept))
    if (typeof kept == 'number' && !isFinite(kept)) return leftOut?.(name, 'number')
    return isNone || isOdd ? leftOut?.(name) : kept
  })

export const isObject = (value) => Object.prototype.toString.call(value) == '[object Object]'

/**
 * Copies an object as JSON, because the page may change its own. Only a member that cannot be read (a getter that throws, a
 * circle) is left out. Returns false if `object` is not a plain object.
 */
export const copyOf = (object, leftOut) =>
  isObject(object) &&
  Object.assign(
    {},
    ...Object.keys(object).map(
      (name) => quiet(() => JSON.parse(toJson({ [name]: object[name] }, leftOut))) ?? leftOut(name),
    ),
  )
