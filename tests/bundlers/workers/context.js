// Runs as every kind of worker and as a worklet. Sends the results of two calls to the page that started it.

import { eventIdFor, trackDualEvent } from 'duet-sdk'

async function answer() {
  const { delivery } = trackDualEvent('Search')
  return { id: eventIdFor('Subscribe', 'PHO7K3M9Q2X'), status: (await delivery).status }
}

const answerOn = async (port) => port.postMessage(await answer())

if (globalThis.registerProcessor) {
  class Processor extends AudioWorkletProcessor {
    constructor() {
      super()
      answerOn(this.port)
    }
    process() {
      return false
    }
  }
  registerProcessor('duet', Processor)
} else if (globalThis.ServiceWorkerGlobalScope) {
  addEventListener('message', (event) => event.waitUntil(answerOn(event.source)))
} else if (globalThis.SharedWorkerGlobalScope) {
  addEventListener('connect', ({ ports: [port] }) => answerOn(port))
} else {
  answerOn(globalThis)
}
