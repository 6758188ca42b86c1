// Starts the SDK in every context that is not a page.

const module = { type: 'module' }
const message = (target) => new Promise((resolve) => target.addEventListener('message', ({ data }) => resolve(data)))

const answers = {
  Worker: () => message(new Worker(new URL('./context.js', import.meta.url), module)),
  SharedWorker() {
    const { port } = new SharedWorker(new URL('./context.js', import.meta.url), module)
    port.start()
    return message(port)
  },
  async ServiceWorker() {
    const { serviceWorker } = navigator
    const answer = message(serviceWorker)
    await serviceWorker.register(new URL('./context.js', import.meta.url), module)
    const { active } = await serviceWorker.ready
    serviceWorker.startMessages()
    active.postMessage('answer')
    return answer
  },
  async AudioWorklet() {
    const context = new OfflineAudioContext(1, 128, 44_100)
    await context.audioWorklet.addModule(new URL('./context.js', import.meta.url))
    const { port } = new AudioWorkletNode(context, 'duet')
    port.start()
    return message(port)
  },
}

window.answers = Promise.all(Object.entries(answers).map(async ([kind, ask]) => [kind, await ask()]))
