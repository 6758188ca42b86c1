// The state of the module.

export const phase = {
  /** The module is running. */
  isUp: false,
  /** The module is loading or has stopped, so calls are held. */
  isComing: false,
}
