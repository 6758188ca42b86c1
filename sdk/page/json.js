// Values as JSON, on pages whose scripts have given arrays or all objects a `toJSON` of their own (Prototype.js).

/**
 * `value` as JSON. `leftOut` is called with the name of each number that JSON has no form for: the field goes, and
 * nobody takes it for null.
 */
export const toJson = (value, leftOut) =>
  JSON.stringify(value, function (name, made) {
    // What stands there, before any `toJSON` was asked.
    const own = this[name]
    if (typeof own == 'bigint') return Number(own)
    if (typeof own == 'number' && !isFinite(own)) return leftOut?.(name)
    return Array.isArray(own) || own?.toJSON == Object.prototype.toJSON ? own : made
  })
