// Handles events while the module is still loading, or after the module has stopped. Without the module, nothing can be hashed.
// So an event is stored with the data that this browser remembers about the visitor, but without the user data of the call
// itself. The stored event is sent when the page is left.

import { held } from './held.js'
import { remove, write } from './host.js'
import { toJson } from './json.js'
import { settle } from './listeners.js'
import { close, events, newKey } from './outbox.js'
import { beacon, bodyOf, canOutlive, send } from './requests.js'
import { remembered } from './visitor.js'

/** Removes the stored copy of a call, because the call is now sent normally, or must not be sent. */
export const drop = (task) => {
  task.keys?.forEach(remove)
  task.keys = undefined
}

/**
 * Stores the held calls, if the visitor has consented. `config` are the settings of `init()` with defaults. If `init()` was not
 * called, `config` is undefined.
 */
export const keep = (config, consent) => {
  if (consent == 'denied') {
    for (const task of held.splice(0)) {
      drop(task)
      if (task.number) settle(task.number, task.id, 'consent')
      else held.push(task)
    }
  }
  const may = config && consent == 'granted'
  for (const task of held) {
    if (!may) drop(task)
    else if (task.early && !task.keys) {
      task.copies = task.early(config, remembered())
      task.keys = task.copies.map(newKey)
      task.keys.forEach((key, at) => write(key, toJson(task.copies[at])))
    }
  }
}

/** Sends all stored and waiting events. Called when the page is left. An event stays stored until an answer names the event. */
export const letGo = (config) => {
  const kept = held.flatMap(({ keys, copies }) => (keys ? copies.map((copy) => copy[2]) : []))
  const waiting = events.flatMap((event, number) => (event?.body ? [close(number)] : []))
  const body = bodyOf([...kept, ...waiting])
  if (!kept[0] && !waiting[0]) return
  if (canOutlive()) send(config, { body, keepalive: true }).catch(() => {})
  else beacon(config, body)
}
