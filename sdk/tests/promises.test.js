// Each promise in docs/sdk-promises.md names tests that exist, in the browsers that the row names.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'

const root = new URL('../../', import.meta.url)
const read = (path) => readFileSync(new URL(path, root), 'utf8').replaceAll('’', "'")

const BROWSERS = { C: 'chromium', F: 'firefox', W: 'webkit' }
const ALL = Object.values(BROWSERS)

const rows = read('docs/sdk-promises.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| Promise'))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
  .map(([, promise, where, tests]) => ({ promise, where, tests }))

const rust = ['sdk/src', 'events/tests'].flatMap((folder) =>
  readdirSync(new URL(folder, root), { recursive: true }).filter((file) => file.endsWith('.rs')).map((file) => read(`${folder}/${file}`)),
)

/** The text of the tests that a name in a row stands for, and the browsers in which they run. */
const named = (name) => {
  if (name.startsWith('tests/bundlers')) {
    const files = readdirSync(new URL(name, root)).filter((file) => file.endsWith('.test.mjs'))
    return { text: files.map((file) => read(`${name}/${file}`)).join(), browsers: ['chromium'] }
  }
  const path = [`tests/browser/${name}.test.mjs`, `sdk/tests/${name}`, `tests/bundlers/${name}`, name].find((path) => existsSync(new URL(path, root)))
  if (path) {
    const text = read(path)
    const [, listed] = /inBrowsers\((?:engines|\[(.*?)\])/.exec(text) ?? [, '']
    const browsers = listed === undefined ? ALL : ALL.filter((browser) => listed.includes(`'${browser}'`))
    return { text, browsers }
  }
  return rust.some((text) => text.includes(`fn ${name}(`)) ? { text: '', browsers: [] } : undefined
}

/** The beginnings, middles and ends of titles behind a name: `file`: an order…, …in another. */
const titles = (behind) =>
  behind.replace(/^: /, '').split(/, (?=\S*…|[^,]*…)/).filter((title) => title.includes('…')).flatMap((title) => title.split('…'))

for (const { promise, where, tests } of rows) {
  test(`a promise names its tests: ${promise.slice(0, 70)}`, () => {
    const parts = tests.replace(/\[`tests\/browser\/`\]\(.*?\)/, '').split('`')
    const found = []
    for (let at = 1; at < parts.length; at += 2) {
      const name = parts[at]
      // A word of a sentence, such as the title of a test.
      if (!/[a-z]+_[a-z]+|\.(rs|js|mjs|ts)$|^tests\/|^[a-z]+$/.test(name)) continue
      const one = named(name)
      assert.ok(one, `${name} must be the name of a test`)
      found.push(one)
      for (const title of titles(parts[at + 1] ?? '')) {
        const words = title.replace(/^[;:, ]+|[;,. ]+$|\(.*$/g, '').trim()
        assert.ok(one.text.includes(words), `${name} has no test "${words}"`)
      }
    }
    assert.ok(found.length || /every test/.test(tests), 'the row names no test')
    for (const letter of where.match(/\b[CFW]\b/g) ?? []) {
      const runs = found.some(({ browsers }) => browsers.includes(BROWSERS[letter]))
      assert.ok(runs || /every test/.test(tests), `no named test runs in ${BROWSERS[letter]}`)
    }
  })
}

// What these hold is promised by others: the console, the demo shop and payments.
const OTHERS = ['console', 'demo', 'pays', 'pricing_page']

test('every file of browser tests is named by a promise', () => {
  const files = readdirSync(new URL('tests/browser', root)).filter((file) => file.endsWith('.test.mjs'))
  const all = rows.map(({ tests }) => tests).join()
  const missing = files.map((file) => file.replace('.test.mjs', '')).filter((name) => !OTHERS.includes(name) && !all.includes(`\`${name}\``))
  assert.deepEqual(missing, [])
})
