// Who is signed in. In a real shop this is Clerk's own script: it keeps a session token, good for a minute, in the
// cookie __session. Here the demo's stand-in for Clerk gives the token. Nothing of it is said to Duet: the cookie
// goes to the proxy with every event, and the proxy proves it.

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
    // Signed out for now; the shop works all the same.
  }
  renewal = setTimeout(renew, renewalMs, clerkUrl);
}

/** Goes on with the session of an earlier page, if there is one. */
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
