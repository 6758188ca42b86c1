// A client of WebDriver, as much of it as the tests need.

import { setTimeout as pause } from 'node:timers/promises';

async function ask(method, url, body) {
  const answer = await fetch(url, { method, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(`${method} ${new URL(url).pathname}: ${value.error} ${value.message}`), { reason: value.error });
  return value;
}

/** Waits until a driver that was just started answers; `running` throws once it has ended. */
export async function ready(address, running) {
  for (;;) {
    running();
    const answer = await fetch(`${address}/status`).catch(() => undefined);
    if (answer?.ok) return;
    await pause(10);
  }
}

/**
 * Starts a session: one browser with storage of its own. Its commands run one after the other, each in the window it is meant
 * for; pages may be driven side by side all the same, since no command waits for what a page does.
 */
export async function openSession(address, capabilities) {
  const { sessionId } = await ask('POST', `${address}/session`, { capabilities: { alwaysMatch: capabilities } });
  const session = `${address}/session/${sessionId}`;
  // The window it begins with stays: a session whose last window is closed has ended.
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
    /** Runs one command, in a window if it is given. */
    command: (window, method, path, body) =>
      alone(async () => {
        if (window) await enter(window);
        return ask(method, session + path, method === 'POST' ? (body ?? {}) : undefined);
      }),
    /** Opens a window; gives back its handle. */
    open: () => alone(async () => (await ask('POST', `${session}/window/new`, { type: 'window' })).handle),
    close: (window) =>
      alone(async () => {
        await enter(window);
        await ask('DELETE', `${session}/window`);
        await enter(home);
      }),
  };
}
