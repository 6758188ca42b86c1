// What became of the module.

export const phase = {
  /** It runs. */
  isUp: false,
  /** It is on its way, or has stopped: what is called meanwhile is held. */
  isComing: false,
}
