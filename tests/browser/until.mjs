// Waits for a condition and not for a time.

// No test measures speed. This time must only be longer than anything takes on a slow and busy machine.
const patienceMs = 60_000;

/**
 * Calls `condition` again and again until it returns a true value, and returns that value. If this does not happen in time,
 * fails with the sentence `fact` and with the actual state from `found`.
 */
export async function until(fact, condition, { found } = {}) {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) {
      const instead = found ? `; there is ${JSON.stringify(await found(), null, 1).slice(0, 4_000)}` : '';
      throw new Error(`in ${patienceMs} ms it did not come true that ${fact}${instead}`);
    }
    await new Promise((next) => setTimeout(next, 20));
  }
}
