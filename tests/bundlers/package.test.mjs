// Checks the archive that a release would publish, partly with other projects' tools.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { archive, here, install } from './built.mjs'

// The package is unpacked into a separate folder, because the bundlers' tests use the usual folder at the same time.
const temporary = mkdtempSync(join(tmpdir(), 'duet-package-'))
const unpacked = install(join(temporary, 'duet-sdk'))
after(() => rmSync(temporary, { recursive: true }))

const run = (tool, ...words) =>
  execFileSync(process.execPath, [join(here, 'node_modules', tool), ...words], { cwd: here, encoding: 'utf8' })

test('publint finds nothing', () => {
  assert.match(run('publint/src/cli.js', unpacked, '--strict'), /All good/)
})

test('the types are right for everyone who can import the package', () => {
  run('@arethetypeswrong/cli/dist/index.js', archive(), '--profile', 'node16', '--exclude-entrypoints', 'duet.wasm')
})

test('nothing is published by accident', () => {
  assert.deepEqual(readdirSync(unpacked).sort(), [
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'debug.js',
    'debug.js.map',
    'duet.wasm',
    'external.js',
    'external.js.map',
    'fallback.js',
    'fallback.js.map',
    'index.d.cts',
    'index.d.ts',
    'index.js',
    'index.js.map',
    'package.json',
    'server.cjs',
    'server.cjs.map',
    'server.js',
    'server.js.map',
  ])
})

test('the same files are the same archive, byte for byte, whenever and wherever they are packed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'duet-pack-'))
  try {
    const copy = join(folder, 'elsewhere')
    cpSync(unpacked, copy, { recursive: true })
    for (const name of readdirSync(copy)) {
      chmodSync(join(copy, name), 0o644)
      utimesSync(join(copy, name), 1, 1)
    }
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: copy, shell: process.platform === 'win32' })
    const [packed] = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
    assert.ok(readFileSync(join(folder, packed)).equals(readFileSync(archive())))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

for (const suite of ['tests/bundlers', 'tests/browser', 'sdk']) {
  test(`the lock file of ${suite} holds on every platform and names no registry`, () => {
    const { packages } = JSON.parse(readFileSync(join(here, '../..', suite, 'package-lock.json'), 'utf8'))
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`],
      ),
    )
    assert.deepEqual(missing, [])
    assert.deepEqual(Object.values(packages).flatMap(({ resolved }) => resolved ?? []), [])
  })
}
