// WebKit on Linux: WebKitGTK's MiniBrowser on a separate display. WebKitGTK's WebDriver controls it.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { executable } from '../installed.mjs';
import { freePort } from '../stack.mjs';
import { openSession, ready } from './driver.mjs';
import { Page } from './page.mjs';
import { inFolder, leftovers, pageProcesses, start } from './started.mjs';
import { openWire } from './wire.mjs';

// Each distribution has another folder for programs that users do not start directly.
const libraries = ['/usr/lib', '/usr/lib64', '/usr/libexec', ...inFolder('/usr/lib')];
const miniBrowsers = libraries.flatMap((library) =>
  ['webkit2gtk-4.1', 'webkitgtk-6.0', 'webkit2gtk-4.0'].map((version) => join(library, version, 'MiniBrowser')));

const known = {
  driver: { what: 'WebKitWebDriver', variable: 'WEBKIT_DRIVER', names: ['WebKitWebDriver'], debian: 'webkit2gtk-driver' },
  browser: { what: 'MiniBrowser of WebKitGTK', variable: 'WEBKIT', names: [], paths: miniBrowsers, debian: 'webkit2gtk-driver' },
  display: { what: 'Xvfb', variable: 'XVFB', names: ['Xvfb'], debian: 'xvfb' },
};

async function openDisplay() {
  const server = start(executable(known.display), ['-displayfd', '3', '-screen', '0', '1600x1200x24', '-nolisten', 'tcp', '-noreset'], process.env, [
    'ignore', 'ignore', 'ignore', 'pipe',
  ]);
  const exited = once(server.child, 'exit').then(() => server.running());
  const [number] = await Promise.race([once(server.child.stdio[3], 'data'), exited]);
  return { name: `:${String(number).trim()}`, stop: server.stop };
}

async function openContext(display, { userAgent } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'duet-webkit-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  leftovers.add(removeFolder);
  const pages = [];
  let driven;
  let closed = false;
  const wire = await openWire({
    userAgent,
    scripts: () => driven?.scripts ?? [],
    meets: async (url) => (await Promise.all(open().map((page) => page.meet(url)))).every(Boolean),
    hears: (said) => driven?.hear(said),
  });
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    XDG_RUNTIME_DIR: folder,
    DISPLAY: display.name,
    NO_AT_BRIDGE: '1',
    // WebKit cannot set up its own sandbox as root or in a container.
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
  };
  const capabilities = {
    // The test decides whether a page has finished loading.
    pageLoadStrategy: 'none',
    // WebDriver would implement a time limit for scripts with a timer on the page.
    timeouts: { script: null },
    'webkitgtk:browserOptions': {
      binary: executable(known.browser),
      // WebKit's network library treats every name that ends in localhost as a separate site. The cookies of such a site
      // would be third-party cookies, so all cookies are allowed.
      args: ['--automation', '--cookies-policy=always', `--proxy=${wire.address}`],
    },
  };
  const { driver, session } = await startSession(env, capabilities);
  const group = driver.child.pid;
  const [home] = pageProcesses(group);
  const turn = (page) => {
    driven = page;
  };
  return {
    async newPage() {
      const page = new Page(session, await session.open(), turn);
      pages.push(page);
      page.bringToFront = async () => {
        for (const other of open()) await (other === page ? other.restore() : other.minimize());
      };
      return page;
    },
    /** Stops the processes of the visitor's pages, as a phone does when an app goes to the background. */
    sleep: () => signal('SIGSTOP'),
    wake: () => signal('SIGCONT'),
    /** Ends sleeping pages by never waking them up. If the test killed the processes of the pages, the session would end. */
    die() {
      for (const page of open()) page.died();
    },
    cookies: async () => (await open().at(-1)?.cookies()) ?? [],
    async close() {
      if (closed) return;
      closed = true;
      try {
        for (const page of open()) await page.leave();
      } finally {
        await driver.stop();
        await wire.stop();
        removeFolder();
        leftovers.delete(removeFolder);
      }
    },
  };

  function signal(name) {
    for (const pid of pageProcesses(group)) if (pid !== home) process.kill(pid, name);
  }

  function open() {
    return pages.filter((page) => !page.isClosed());
  }
}

/**
 * Starts a driver, which serves one session. If another process takes the driver's port in the meantime, or the port
 * between the driver and the browser, starts another driver.
 */
async function startSession(env, capabilities) {
  for (let left = 4; ; left -= 1) {
    const port = await freePort();
    const driver = start(executable(known.driver), [`--port=${port}`], env);
    try {
      const address = `http://127.0.0.1:${port}`;
      await ready(address, driver.running);
      return { driver, session: await openSession(address, capabilities) };
    } catch (error) {
      await driver.stop();
      if (left === 0) throw error;
    }
  }
}

/** Starts WebKit. Each context is a separate browser, and its data is deleted when it is closed. */
export async function launchWebKit() {
  const display = await openDisplay();
  const contexts = [];
  async function createBrowserContext(options) {
    const context = await openContext(display, options);
    contexts.push(context);
    return context;
  }
  return {
    createBrowserContext,
    newPage: async () => (await createBrowserContext()).newPage(),
    async close() {
      for (const context of contexts) await context.close();
      await display.stop();
    },
  };
}
