// The common setup of every test file: all tests share one stack and one browser, and each test gets a new visitor.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe } from 'node:test';
import { engines, launch, visitor } from './browser.mjs';
import { startStack } from './stack.mjs';

export { engines };

/**
 * Defines tests once for each browser. `define` gets the scene: the browser's `name`, and `stack` and `visitor()`, which
 * only tests may use. An error on a page fails the test in which the page threw it.
 */
export function inBrowsers(names, define, env) {
  for (const name of names.filter((name) => engines.includes(name))) {
    describe(name, { skip: name === 'webkit' && process.platform !== 'linux' && 'WebKitGTK exists only on Linux' }, () => {
      const visitors = [];
      const scene = {
        name,
        async visitor(options) {
          const one = await visitor(scene.browser, options);
          visitors.push(one);
          return one;
        },
      };
      before(async () => {
        scene.stack = await startStack(env);
        scene.browser = await launch(name);
      });
      afterEach(async () => {
        const left = visitors.splice(0);
        for (const one of left) await one.leave();
        assert.deepEqual(left.flatMap(({ errors }) => errors), [], 'the page must not throw an error');
      });
      after(async () => {
        await scene.browser?.close();
        await scene.stack?.stop();
      });
      define(scene);
    });
  }
}
