// What Node and edge runtimes import.

import { use } from './api.js'
import { nowhere } from './nowhere.js'

use(() => nowhere)

export * from './calls.js'
