// How users of this platform sign in, and the user of this page.

import { computed, signal } from '@preact/signals';
import { call } from '../api/client';
import { Problem } from '../api/problem';
import { accessToken, tokenWanted, useToken } from '../api/token';
import { linkTo, open, parameter, VIEWS, type View } from '../route';

export const ROLES = ['customer', 'host', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** How this platform identifies its users. `unknown`: it does not say, and a user enters a token that was issued. */
export interface Identity {
  mode: 'open' | 'local' | 'issuer' | 'unknown';
  issuer?: string;
}

export const identity = signal<Identity>({ mode: 'unknown' });

export interface User {
  name: string;
  role: Role | undefined;
}

/** The user whom the access token names. The platform decides what the user may do; this is for display. */
export const user = computed<User | undefined>(() => {
  const claims = claimsOf(accessToken.value);
  return claims && { name: String(claims.sub ?? ''), role: ROLES.findLast((role) => claims.roles?.includes(role)) };
});

/** The views of each role, that of its daily work first. A user whose role is unknown may look at all. */
const VIEWS_OF: Record<Role, readonly View[]> = { customer: ['book'], host: ['fleet', 'book'], operator: ['operate', 'fleet', 'book'] };

export const viewsOfUser = computed<readonly View[]>(() => {
  const role = user.value?.role;
  return role ? VIEWS.filter((view) => VIEWS_OF[role].includes(view)) : VIEWS;
});

/** Whether the user must sign in before anything is shown. */
export const isSignedOut = computed(() => tokenWanted.value || (identity.value.mode === 'local' && accessToken.value === undefined));

export async function readIdentity(): Promise<void> {
  try {
    const { body } = await call<Identity>('GET', '/identity');
    if (body && typeof body.mode === 'string') identity.value = body;
  } catch (error) {
    // A platform without this resource asks for a token when a request needs one.
    if (!(error instanceof Problem)) throw error;
  }
}

/** Signs in on a platform that issues tokens for this machine. Another machine gets none, and its users enter a token. */
export async function signInAs(role: Role, subject: string): Promise<void> {
  try {
    const { body } = await call<{ access_token: string }>('POST', '/identity/token', { body: { role, subject } });
    enter(body.access_token);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
    identity.value = { mode: 'unknown' };
    tokenWanted.value = true;
  }
}

export const signInWith = (token: string): void => enter(token);

/** Begins with the view of the role, unless a link has led to another one. */
function enter(token: string): void {
  useToken(token);
  const role = user.value?.role;
  if (role && !parameter('view')) open(linkTo(VIEWS_OF[role][0] ?? 'fleet'), { replace: true });
}

export function signOut(): void {
  useToken(undefined);
  tokenWanted.value = true;
}

function claimsOf(token: string | undefined): { sub?: unknown; roles?: string[] } | undefined {
  if (!token) return undefined;
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown; roles?: string[] };
  } catch {
    return { sub: '' };
  }
}
