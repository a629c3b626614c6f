// The access token: in the memory of this page only, and gone when the page is closed.

import { signal } from '@preact/signals';

export const accessToken = signal<string | undefined>(undefined);

/** Whether a response has asked for a token, or for another one. */
export const tokenWanted = signal(false);

/** Called with the token of a request that was answered with 401. The response to an older token says nothing. */
export function wantToken(used: string | undefined): void {
  if (used === accessToken.value) tokenWanted.value = true;
}

export function useToken(token: string | undefined): void {
  accessToken.value = token;
  tokenWanted.value = false;
}
