// The signed-in customer. In a real shop, Clerk's own script stores a session token in the cookie __session. The token is
// valid for a minute. In the demo a fake Clerk returns the token. The page does not pass the token to Duet. The browser sends
// the cookie to the proxy with every event, and the proxy verifies the token in it.

const renewalMs = 45_000;
const key = 'net:user';
const cookie = (value) => `__session=${value}; path=/; SameSite=Lax`;

let renewal;

async function renew(clerkUrl) {
  clearTimeout(renewal);
  const user = localStorage.getItem(key);
  if (user === null) return;
  try {
    const answer = await fetch(`${clerkUrl}/clerk/sign-in`, { method: 'POST', body: JSON.stringify({ user_id: user }) });
    document.cookie = cookie((await answer.json()).token);
  } catch {
    // The customer counts as signed out for now. The shop still works.
  }
  renewal = setTimeout(renew, renewalMs, clerkUrl);
}

/** Continues the session of an earlier page, if there is one. */
export const resumeSession = renew;

export function startSession(clerkUrl, user) {
  localStorage.setItem(key, user);
  return renew(clerkUrl);
}

export function endSession() {
  clearTimeout(renewal);
  localStorage.removeItem(key);
  document.cookie = `${cookie('')}; max-age=0`;
}
