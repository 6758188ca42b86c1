// Events while there is no module: it is still on its way, or it has stopped. Nothing can be hashed without it, so such an
// event is stored, and sent when the page is left, without who it is about but what this browser remembers.

import { held } from './held.js'
import { remove, write } from './host.js'
import { toJson } from './json.js'
import { settle } from './listeners.js'
import { close, events, newKey } from './outbox.js'
import { beacon, bodyOf, canOutlive, send } from './requests.js'
import { remembered } from './visitor.js'

/** Forgets the stored copy of a call: it goes out by itself now, or must not. */
export const drop = (task) => {
  if (task.key) remove(task.key)
  task.key = undefined
}

/** Stores the calls that are held, if the visitor has agreed; `config` is what `init()` was given, if it was called, with its defaults. */
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
    else if (task.early && !task.key) {
      task.key = newKey()
      task.copy = task.early(config, remembered())
      write(task.key, toJson(task.copy))
    }
  }
}

/** The page is left: sends what is kept, and all that waits. It stays stored until an answer names it. */
export const letGo = (config) => {
  const kept = held.filter((task) => task.key).map(({ copy }) => copy[2])
  const waiting = events.flatMap((event, number) => (event?.body ? [close(number)] : []))
  const body = bodyOf([...kept, ...waiting])
  if (!kept[0] && !waiting[0]) return
  if (canOutlive()) send(config, { body, keepalive: true }).catch(() => {})
  else beacon(config, body)
}
