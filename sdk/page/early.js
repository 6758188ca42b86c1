// A page that is left before the module has arrived. Nothing can be hashed or stored without it, so what
// was reported goes out without who it was about.

import { held } from './held.js'
import { endpointOf } from './requests.js'

/** Sends what is held, as far as the visitor has agreed; `config` is what `init()` was given. */
export const letGo = (config) => {
  // The last choice counts, and init()'s is the first.
  if (held.reduce((last, { choice }) => choice ?? last, config.consent ?? 'granted') != 'granted') return
  for (const { whole } of held) if (whole) navigator.sendBeacon(endpointOf(config), JSON.stringify(whole(config)))
}
