// Waiting for a fact instead of for a while.

// No test is about speed: this only has to be longer than anything takes on a slow machine with other things to do.
const patienceMs = 60_000;

/**
 * Asks again and again until `condition` gives something true, and returns it. When that does not happen in
 * time, fails with `fact`, the sentence that did not come true, and whatever `found` says there is instead.
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
