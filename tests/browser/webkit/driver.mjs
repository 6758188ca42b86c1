// A WebDriver client with the commands that the tests need.

import { setTimeout as pause } from 'node:timers/promises';

/** How long a command may take. No command waits for a page, so a command that takes longer will not get an answer. */
const patienceMs = 30_000;

/** Sends a command. If it fails, `reason` of the error is the driver's error code, or `no answer`. */
async function ask(method, url, body) {
  const failed = (reason, message) => Object.assign(new Error(`${method} ${new URL(url).pathname}: ${reason} ${message}`), { reason });
  const signal = AbortSignal.timeout(patienceMs);
  try {
    const answer = await fetch(url, { method, body: body && JSON.stringify(body), signal });
    const { value } = await answer.json();
    if (answer.ok) return value;
    throw failed(value.error, value.message);
  } catch (error) {
    throw error === signal.reason ? failed('no answer', `after ${patienceMs} ms`) : error;
  }
}

/** Waits until a new driver answers. `running` must throw if the driver has ended. */
export async function ready(address, running) {
  for (;;) {
    running();
    const answer = await fetch(`${address}/status`).catch(() => undefined);
    if (answer?.ok) return;
    await pause(10);
  }
}

/**
 * Starts a session: one browser with separate storage. The session runs its commands one after the other, each in the
 * command's own window. Pages can still be controlled in parallel, because no command waits for a page's action.
 */
export async function openSession(address, capabilities) {
  const { sessionId } = await ask('POST', `${address}/session`, { capabilities: { alwaysMatch: capabilities } });
  const session = `${address}/session/${sessionId}`;
  // The first window stays open, because a session ends with its last window.
  const home = await ask('GET', `${session}/window`);
  let current = home;
  let last = Promise.resolve();

  const alone = (task) => {
    const result = last.then(task);
    last = result.catch(() => {});
    return result;
  };
  const enter = async (window) => {
    if (current === window) return;
    current = undefined;
    await ask('POST', `${session}/window`, { handle: window });
    current = window;
  };

  return {
    /** Runs one command. If `window` is given, the command runs in this window. */
    command: (window, method, path, body) =>
      alone(async () => {
        if (window) await enter(window);
        return ask(method, session + path, method === 'POST' ? (body ?? {}) : undefined);
      }),
    /** Opens a window and returns its handle. */
    open: () => alone(async () => (await ask('POST', `${session}/window/new`, { type: 'window' })).handle),
    close: (window) =>
      alone(async () => {
        await enter(window);
        await ask('DELETE', `${session}/window`);
        await enter(home);
      }),
  };
}
