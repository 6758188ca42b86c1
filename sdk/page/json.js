// Values as JSON, on pages whose scripts have given arrays or all objects a `toJSON` of their own (Prototype.js).

import { quiet } from './host.js'

/**
 * `value` as JSON. `leftOut` is called with the name of each member that JSON has no form for, such as functions and Maps, and with
 * `number` where it is NaN or the like: it goes, and nobody takes it for null or an empty object.
 */
export const toJson = (value, leftOut) =>
  JSON.stringify(value, function (name, made) {
    // What stands there, before any `toJSON` was asked.
    const own = this[name]
    // Beyond 2^53 a number would be another one.
    if (typeof own == 'bigint') return Number.isSafeInteger(Number(own)) ? Number(own) : own + ''
    const kept = Array.isArray(own) || own?.toJSON == Object.prototype.toJSON ? own : made
    const isNone = own != null && kept == null
    const isOdd = /^(fun|sym)/.test(typeof kept) || (kept?.forEach && !Array.isArray(kept))
    if (typeof kept == 'number' && !isFinite(kept)) return leftOut?.(name, 'number')
    return isNone || isOdd ? leftOut?.(name) : kept
  })

/**
 * A copy of an object, as JSON has it: the page may change its own. A member that cannot be read (a getter that throws, a circle)
 * is left out alone. Returns false if `object` is not a plain object.
 */
export const copyOf = (object, leftOut) =>
  Object.prototype.toString.call(object) == '[object Object]' &&
  Object.assign(
    {},
    ...Object.keys(object).map(
      (name) => quiet(() => JSON.parse(toJson({ [name]: object[name] }, leftOut))) ?? leftOut(name),
    ),
  )
