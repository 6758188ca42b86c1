// Runs inside a page and measures the SDK's cost on the main thread.

const user = { email: ' Someone@Example.com', phone: '0901 234 567', externalId: 'user_2abcDEF' }
const properties = { value: 99000, currency: 'VND', contents: [{ content_id: 'pro', content_name: 'Pro', price: 99000, quantity: 1 }] }

// The number of characters that one event of these calls takes in the outbox.
const EVENT_CHARACTERS = 560

const quantile = (times, share) => times.sort((a, b) => a - b)[Math.floor((times.length - 1) * share)]
const figures = (times) => ({ best: quantile(times, 0), median: quantile(times, 0.5), p99: quantile(times, 0.99) })

/** Makes many calls and returns the microseconds of each call. `settle` runs between groups of calls. */
async function calls(track, settle, count) {
  const times = []
  for (let bundle = 0; times.length < count; bundle += 1) {
    for (let at = 0; at < 20; at += 1) {
      const before = performance.now()
      track('InitiateCheckout', properties, { user })
      if (bundle > 9) times.push((performance.now() - before) * 1000)
    }
    await settle()
  }
  return figures(times)
}

/** Returns the microseconds to compile and instantiate the module. */
export async function starting(count) {
  const bytes = await (await fetch('/sdk/duet.wasm')).arrayBuffer()
  const times = []
  for (let at = 0; at < count; at += 1) {
    const before = performance.now()
    const module = new WebAssembly.Module(bytes)
    const imports = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, () => {}]))
    new WebAssembly.Instance(module, { [WebAssembly.Module.imports(module)[0].module]: imports })
    times.push((performance.now() - before) * 1000)
    await new Promise((done) => setTimeout(done))
  }
  return figures(times)
}

/**
 * Returns two times in microseconds, both counted from the script's first statement: until a call is possible, and until
 * the promise of `init()` is fulfilled. `init()` does a part of its work in a later task. Each page can measure its start
 * only once.
 */
export async function usable(script, config) {
  const { init } = await import(script)
  const evaluated = performance.now() - globalThis.began
  const before = performance.now()
  const begun = init(config)
  const returned = performance.now()
  await begun
  return [returned, performance.now()].map((now) => (evaluated + now - before) * 1000)
}

/**
 * Measures three kinds of calls in turn: a call of the SDK with a stubbed network, a call of the SDK with the real network,
 * and the same work in plain JavaScript. Also measures the one write to `localStorage` that each of these calls makes.
 */
export async function tracking(config, count) {
  const duet = await import('/sdk/timed.js')
  const plain = await import('/plain.js')
  duet.init(config)
  const network = globalThis.fetch
  const answered = async (_, { body }) => {
    const results = JSON.parse(body).events.map(({ event_id }) => ({ event_id, status: 'accepted' }))
    return new Response(JSON.stringify({ success: true, results }), { status: 202 })
  }
  const soon = () => new Promise((done) => setTimeout(done, 1))
  const text = 'x'.repeat(EVENT_CHARACTERS)
  const kept = []
  const store = () => {
    kept.push(`kept:${Date.now()}-${Math.random()}`)
    localStorage.setItem(kept.at(-1), text)
  }
  const clear = () => {
    for (const key of kept.splice(0)) localStorage.removeItem(key)
    return soon()
  }
  const turns = { stubbed: [], real: [], plain: [], stored: [] }
  for (let turn = 0; turn < 3; turn += 1) {
    globalThis.fetch = answered
    turns.stubbed.push(await calls(duet.trackDualEvent, duet.flush, count))
    turns.plain.push(await calls(plain.trackDualEvent, soon, count))
    turns.stored.push(await calls(store, clear, count))
    globalThis.fetch = network
    turns.real.push(await calls(duet.trackDualEvent, duet.flush, count))
  }
  const middle = (of, name) => of.map((turn) => turn[name]).sort((a, b) => a - b)[1]
  return Object.fromEntries(
    Object.entries(turns).map(([name, of]) => [name, { best: middle(of, 'best'), median: middle(of, 'median'), p99: middle(of, 'p99') }]),
  )
}
