// Waits for a condition and not for a fixed time.

// No test measures speed, so this time must only be longer than any step takes on a slow and busy machine.
const patienceMs = 60_000;

/**
 * Calls `condition` again and again until it returns a true value, and returns this value. If this does not happen in time,
 * fails with the sentence `fact` and with the actual state that `found` returns.
 */
export async function until(fact, condition, { found } = {}) {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) {
      const instead = found ? `; found ${JSON.stringify(await found(), null, 1).slice(0, 4_000)}` : '';
      throw new Error(`timed out after ${patienceMs} ms, waiting until ${fact}${instead}`);
    }
    await new Promise((next) => setTimeout(next, 20));
  }
}
