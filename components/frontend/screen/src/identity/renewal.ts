// The silent renewal of the access token, with the refresh token of the issuer. Both are in the memory of this page only.

import { Problem } from '../api/problem';
import { useToken } from '../api/token';
import { renew, type Tokens } from './authorization-code';

/** The time before the end of a token at which it is renewed, in milliseconds; half of the lifetime of a short one. */
const LEAD = 60_000;
/** The time until another attempt when the issuer has not answered. */
const RETRY = 5_000;
/** The longest delay of a timer. */
const MAX_DELAY = 2 ** 31 - 1;

let refreshToken: string | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Uses the tokens, and renews them in time. Without a refresh token, the user signs in again when the token ends. */
export function useTokens(tokens: Tokens): void {
  useToken(tokens.access_token);
  // An issuer that gives no new refresh token lets the old one be used again.
  refreshToken = tokens.refresh_token ?? refreshToken;
  const lifetime = (tokens.expires_in ?? 0) * 1000;
  if (refreshToken && lifetime > 0) renewAfter(Math.max(lifetime - LEAD, lifetime / 2));
}

/** Forgets all tokens. */
export function forgetTokens(): void {
  clearTimeout(timer);
  refreshToken = undefined;
  useToken(undefined);
}

function renewAfter(delay: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => void attempt(), Math.min(delay, MAX_DELAY));
}

async function attempt(): Promise<void> {
  const used = refreshToken;
  if (!used) return;
  try {
    const tokens = await renew(used);
    // The user may have signed out meanwhile.
    if (used === refreshToken) useTokens(tokens);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (used !== refreshToken) return;
    // The issuer has ended the session: the next request with the old token asks the user to sign in.
    if (error.slug === 'grant-refused') refreshToken = undefined;
    else renewAfter(RETRY);
  }
}
