// What would be published, as others judge it.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { archive, here, install } from './built.mjs'

const run = (tool, ...words) =>
  execFileSync(process.execPath, [join(here, 'node_modules', tool), ...words], { cwd: here, encoding: 'utf8' })

test('publint finds nothing', () => {
  assert.match(run('publint/src/cli.js', install(), '--strict'), /All good/)
})

test('the types are right for everyone who can import the package', () => {
  run('@arethetypeswrong/cli/dist/index.js', archive(), '--profile', 'esm-only', '--exclude-entrypoints', 'duet.wasm')
})

test('nothing is published by accident', () => {
  assert.deepEqual(readdirSync(install()).sort(), [
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'debug.js',
    'duet.wasm',
    'external.js',
    'fallback.js',
    'index.d.ts',
    'index.js',
    'package.json',
    'server.js',
  ])
})
