// Waiting for a fact instead of for a while.

/**
 * Asks again and again until `condition` gives something true, and returns it. When that does not happen in
 * time, fails with `fact`, the sentence that did not come true, and whatever `found` says there is instead.
 */
export async function until(fact, condition, { deadlineMs = 15_000, found } = {}) {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) {
      const instead = found ? `; there is ${JSON.stringify(await found(), null, 1).slice(0, 4_000)}` : '';
      throw new Error(`in ${deadlineMs} ms it did not come true that ${fact}${instead}`);
    }
    await new Promise((next) => setTimeout(next, 20));
  }
}
