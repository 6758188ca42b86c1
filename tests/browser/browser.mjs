// Finds the browsers of this machine and opens pages in them.

import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { executable } from './installed.mjs';
import { launchWebKit } from './webkit/browser.mjs';

const asked = process.env.BROWSERS?.split(',');

/** The engines that people have; `BROWSERS=webkit,firefox` leaves the others out. */
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

// Firefox would speak to its maker at every start; the tests stay on loopback.
const firefoxPreferences = {
  'toolkit.telemetry.enabled': false,
  'app.normandy.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'services.settings.server': 'http://127.0.0.1:9/',
};

/** Starts `chromium`, `firefox` or `webkit` with an empty profile of its own; `preferences` are Firefox's. */
export async function launch(name, preferences = {}) {
  if (name === 'webkit') return launchWebKit();
  const common = { executablePath: executable(known[name]), headless: true, timeout: 120_000 };
  if (name === 'chromium') {
    return puppeteer.launch({
      ...common,
      args: chromiumFlags,
      // Pages are to be left and come back to as they are by people.
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
 * A visitor: a browser context with empty storage. `open(url)` gives a page on which `window.duet` is the SDK, after
 * `prepare(page)`; what a page throws is kept in `errors` and must stay empty. `userAgent` is another than the browser's own.
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
        // Firefox calls it an error of the page when a policy holds something back.
        if (!/Content-Security-Policy/.test(error)) errors.push(String(error));
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
 * The clock of whatever the page loads from now on stands still, but for the milliseconds in `window.laterMs`. What is given
 * a time to happen in has all the time it needs: an event, say, waits for the Pixel's script however slow the machine is.
 */
export const stopClock = (page) =>
  page.evaluateOnNewDocument((now) => {
    window.laterMs = 0;
    Date.now = () => now + window.laterMs;
  }, Date.now());

/** Waits until the SDK's module is there; a page that was just loaded may still be fetching it. */
export const sdkOn = (page) => holds(page, () => window.duet !== undefined);

/** Waits until a condition holds on the page, be it in the foreground or not. */
export const holds = (page, condition) => page.waitForFunction(condition, { polling: 50 });
