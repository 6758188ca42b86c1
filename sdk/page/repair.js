// Makes the Pixel's copy of an event's properties. Personal data is removed from the copy. Fields of a wrong type are repaired
// or left out, as properties.rs in `duet-events` does for the proxy's copy. `cargo xtask sdk` inserts the names from that file,
// and `events/tests/types.json` tests both implementations.

import { isObject, toJson } from './json.js'
import { cleaned, hasEmail, isPersonal } from './personal.js'

const TEXT = RegExp(`^(content_(id|name|category)|brand|${TEXTS})$`)

// In JSON, half a surrogate pair is written as an escape, and a backslash as two backslashes.
const wellFormed = (json) => json.replace(/\\\\|\\ud.../g, (escape) => (escape[2] ? '\ufffd' : escape))

/**
 * Returns properties as the Pixel gets them. A boolean whose name is a name of personal data is kept, because a boolean does
 * not identify a person. The page does not have TikTok's list of currencies, so every code of three letters counts as a
 * currency.
 */
export const forPixel = (properties) => {
  const code = (properties.currency ?? '').trim?.().toUpperCase().replace(/^(₫|(VN)?Đ)$/, 'VND')
  const isCurrency = /^([A-Z]{3})?$/.test(code)
  return JSON.parse(wellFormed(toJson(properties)), (name, value) => {
    if (hasEmail(name) || (isPersonal(name) && !/^(true|false|null|)$/.test(value))) return undefined
    const isNumber = typeof value == 'number'
    const left = typeof value == 'string' ? cleaned(value.replace(/^\ufeff/, '')) : value
    const text = isNumber ? value + '' : left?.trim ? left : ''
    const number = (isUsable, most) => {
      const [digits, fraction] = text.trim().match(/^\d+(\.\d+)?$/) ?? []
      const read = isNumber ? value : fraction?.length > most ? NaN : +digits
      return isUsable && read >= 0 && read <= 1e15 ? +read.toFixed(4) : undefined
    }
    if (name == 'contents') return [].concat(value).filter(isObject)
    if (name == 'content_type') return /^product(_group)?$/.exec(text)?.[0]
    if (name == 'currency') return (isCurrency && code) || undefined
    // A fraction in a text is read only if it has at most two digits. In currencies such as the dong, no fraction is read,
    // because a point may separate thousands.
    if (/^(value|price|predicted_ltv)$/.test(name)) return number(isCurrency, WHOLE_CURRENCIES.includes(code) ? 0 : 3)
    if (/^(quantity|num_items)$/.test(name)) return number(!(value % 1), 0)
    // Leave out an id that contains an e-mail address, because the id without the address would be another id.
    if (name == 'content_id' && hasEmail(value + '')) return undefined
    return TEXT.test(name) ? text || undefined : left
  })
}
