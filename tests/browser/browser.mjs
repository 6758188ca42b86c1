// Finds the browsers of this machine and opens pages in them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { executable } from './installed.mjs';
import { launchWebKit } from './webkit/browser.mjs';

const asked = process.env.BROWSERS?.split(',');

/** The engines that people use. The variable `BROWSERS=webkit,firefox` selects some of them. */
export const engines = ['chromium', 'firefox', 'webkit'].filter((name) => asked?.includes(name) ?? true);

const windows = ['ProgramFiles', 'ProgramFiles(x86)', 'LocalAppData'].map((name) => process.env[name]).filter(Boolean);

const known = {
  chromium: {
    what: 'Chromium',
    debian: 'chromium',
    variable: 'CHROMIUM',
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'],
    paths: [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      ...windows.map((folder) => join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe')),
      ...windows.map((folder) => join(folder, 'Chromium', 'Application', 'chrome.exe')),
      ...windows.map((folder) => join(folder, 'Microsoft', 'Edge', 'Application', 'msedge.exe')),
    ],
  },
  firefox: {
    what: 'Firefox',
    debian: 'firefox-esr',
    variable: 'FIREFOX',
    names: ['firefox-esr', 'firefox'],
    paths: [
      '/Applications/Firefox.app/Contents/MacOS/firefox',
      ...windows.map((folder) => join(folder, 'Mozilla Firefox', 'firefox.exe')),
    ],
  },
};

const chromiumFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// By default, Firefox connects to Mozilla's servers at every start. The tests must use only loopback.
const firefoxPreferences = {
  'toolkit.telemetry.enabled': false,
  'app.normandy.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'services.settings.server': 'http://127.0.0.1:9/',
};

/** Starts `chromium`, `firefox` or `webkit` with a new empty profile. `preferences` are for Firefox. */
export async function launch(name, preferences = {}) {
  if (name === 'webkit') return launchWebKit();
  const common = { executablePath: executable(known[name]), headless: true, timeout: 120_000 };
  if (name === 'chromium') {
    return puppeteer.launch({
      ...common,
      args: chromiumFlags,
      // The tests need the back/forward cache, as in normal use.
      ignoreDefaultArgs: ['--disable-back-forward-cache'],
    });
  }
  return puppeteer.launch({
    ...common,
    browser: 'firefox',
    protocol: 'webDriverBiDi',
    extraPrefsFirefox: { ...firefoxPreferences, ...preferences },
  });
}

/**
 * Opens a page in a Chromium that no driver controls, because a controlled Chromium does not prerender. Returns a function
 * that ends this Chromium.
 */
export async function openUncontrolled(url) {
  const profile = await mkdtemp(join(tmpdir(), 'duet-chromium-'));
  const flags = ['--headless', ...chromiumFlags.filter((flag) => flag !== '--disable-background-networking')];
  const browser = spawn(executable(known.chromium), [...flags, `--user-data-dir=${profile}`, url], { stdio: 'ignore' });
  return async () => {
    browser.kill();
    await once(browser, 'exit');
    await rm(profile, { recursive: true, maxRetries: 10 });
  };
}

/**
 * Makes a visitor: a browser context with empty storage. `open(url)` first calls `prepare(page)`, then returns a page on
 * which `window.duet` is the SDK. Errors of the page are collected in `errors`, which must stay empty. `userAgent` replaces
 * the browser's own user agent.
 */
export async function visitor(browser, { userAgent } = {}) {
  const context = await browser.createBrowserContext({ userAgent });
  const errors = [];
  let here = true;
  return {
    context,
    errors,
    async page() {
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      if (userAgent) await page.setUserAgent?.(userAgent);
      page.on('pageerror', (error) => {
        // When a policy blocks something, Firefox reports this as an error of the page. The tests block things on purpose, so
        // such errors are left out.
        if (!/Content-Security-Policy|Cross-Origin Request Blocked/.test(error)) errors.push(String(error));
      });
      return page;
    },
    async open(url, prepare = () => {}) {
      const page = await this.page();
      await prepare(page);
      await page.goto(url);
      await sdkOn(page);
      return page;
    },
    async leave() {
      if (here) await context.close();
      here = false;
    },
  };
}

/**
 * Stops the clock of everything that the page loads from now on. The clock moves only by the milliseconds in
 * `window.laterMs`. Therefore no time limit ends early: for example, an event waits for the Pixel's script even on a slow
 * machine.
 */
export const stopClock = (page) =>
  page.evaluateOnNewDocument((now) => {
    window.laterMs = 0;
    Date.now = () => now + window.laterMs;
  }, Date.now());

/** Waits until the SDK's module is ready. A page that was just loaded may still be loading the module. */
export const sdkOn = (page) => holds(page, () => window.duet !== undefined);

/** Waits until a condition is true on the page. The page can be in the foreground or in the background. */
export const holds = (page, condition) => page.waitForFunction(condition, { polling: 50 });
