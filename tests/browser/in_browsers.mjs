// The frame of every test file: one stack and one browser for its tests, a fresh visitor for each of them.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe } from 'node:test';
import { launch, visitor } from './browser.mjs';
import { startStack } from './stack.mjs';

/** The engines that people have. */
export const engines = ['chromium', 'firefox', 'webkit'];

// `BROWSERS=webkit,firefox` leaves the others out.
const asked = process.env.BROWSERS?.split(',') ?? ['chromium', 'firefox'];

/**
 * Defines tests once for each of the browsers. `define` gets the scene: the browser's `name`; and `stack` and
 * `visitor()`, to be used inside of tests only. Whatever a page threw fails the test it was thrown in.
 */
export function inBrowsers(names, define, env) {
  for (const name of names.filter((name) => asked.includes(name))) {
    describe(name, () => {
      const visitors = [];
      const scene = {
        name,
        async visitor() {
          const one = await visitor(scene.browser);
          visitors.push(one);
          return one;
        },
      };
      before(async () => {
        scene.stack = await startStack(env);
        scene.browser = await launch(name);
      });
      afterEach(async () => {
        const thrown = visitors.flatMap(({ errors }) => errors);
        for (const one of visitors.splice(0)) await one.leave();
        assert.deepEqual(thrown, [], 'the page threw');
      });
      after(async () => {
        await scene.browser?.close();
        await scene.stack?.stop();
      });
      define(scene);
    });
  }
}
