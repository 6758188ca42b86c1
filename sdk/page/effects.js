// Calls the Rust module and carries out, in order, what it asks for (effect.rs). Decides nothing.

import { FIELD, RECORD, facts, keys, quiet, remove, setCookie, write } from './host.js'
import { emit, settle } from './listeners.js'
import { adopt, post } from './requests.js'
import { load, tell, watch } from './ttq.js'

let core
let wakeAt = Infinity
let wakeTimer

export const attach = (call) => {
  core = call
}

/** Runs a call; gives back its answer and the requests it started. */
export const step = (name, input) => {
  const done = { answer: '', requests: [] }
  for (const effect of core(name, input).split(RECORD)) {
    const [kind, ...fields] = effect.split(FIELD)
    quiet(() => {
      const result = carryOut[kind]?.(...fields)
      if (kind === 'answer') done.answer = result
      else if (result) done.requests.push(result)
    })
  }
  return done
}

/** Tells Rust that something happened; `what` comes before the facts of the page. */
export const happened = (name, what) => quiet(() => step(name, what ? what + FIELD + facts() : facts()))?.requests ?? []

export const wake = (ms) => {
  const at = Date.now() + +ms
  if (at >= wakeAt) return
  clearTimeout(wakeTimer)
  wakeAt = at
  wakeTimer = setTimeout(() => {
    wakeAt = Infinity
    happened('wake')
  }, ms)
}

const parse = (json) => (json ? JSON.parse(json) : undefined)

const carryOut = {
  answer: (value) => value,
  write: (key, ...fields) => write(key, fields.join(FIELD)),
  remove,
  clear() {
    for (const key of keys()) remove(key)
    setCookie('ttclid', '', 0)
  },
  cookie: (ttclid) => setCookie('ttclid', ttclid, 30 * 86_400),
  load,
  watch,
  ttq: (id, method, ...args) => tell(id, method, args.map(parse)),
  post,
  adopt,
  wake,
  settle(number, eventId, status, errors, warnings) {
    settle(number, { status, eventId, errors: parse(errors), warnings: parse(warnings) })
  },
  error(code, message, eventId, field) {
    emit('error', { code, message, field: field || undefined, eventId: eventId || undefined })
  },
  verdict: (state) => emit('pixel', { state }),
}
