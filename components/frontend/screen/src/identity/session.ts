// How users of this platform sign in, and the user of this page.

import { computed, signal } from '@preact/signals';
import { call } from '../api/client';
import { Problem } from '../api/problem';
import { accessToken, tokenWanted, useToken } from '../api/token';
import { linkTo, open, parameter, VIEWS, type View } from '../route';
import { begin, canSignIn, finish, leave, takeReturned } from './authorization-code';
import { claimsOf } from './claims';
import { forgetTokens, useTokens } from './renewal';

export const ROLES = ['customer', 'host', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** How this platform identifies its users. `unknown`: it does not say, and a user enters a token that was issued. */
export interface Identity {
  mode: 'open' | 'local' | 'issuer' | 'unknown';
  issuer?: string;
  /** By which name the issuer knows this page; without it, a user enters a token that was issued. */
  clientId?: string;
}

export const identity = signal<Identity>({ mode: 'unknown' });

/** Whether users sign in at the issuer. */
export const signsInAtIssuer = computed(() => identity.value.mode === 'issuer' && identity.value.clientId !== undefined && canSignIn());

/** Whether the issuer has led back to this page, whose user is not known yet. */
export const isSigningIn = signal(false);

/** Why the issuer has not signed the user in. */
export const signInProblem = signal<Problem | undefined>(undefined);

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
export const isSignedOut = computed(() => {
  const asksFirst = identity.value.mode === 'local' || signsInAtIssuer.value;
  return isSigningIn.value || tokenWanted.value || (asksFirst && accessToken.value === undefined);
});

export async function readIdentity(): Promise<void> {
  const returned = takeReturned();
  isSigningIn.value = returned !== undefined;
  try {
    const { body } = await call<Identity>('GET', '/identity');
    if (body && typeof body.mode === 'string') identity.value = body;
    if (returned && signsInAtIssuer.value) {
      useTokens(await finish(returned, identity.value.issuer));
      openViewOfRole();
    }
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // A platform without this resource asks for a token when a request needs one.
    if (returned) signInProblem.value = error;
  } finally {
    isSigningIn.value = false;
  }
}

/** Signs in at the issuer. */
export async function signInAtIssuer(): Promise<void> {
  signInProblem.value = undefined;
  await begin();
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

function enter(token: string): void {
  useToken(token);
  openViewOfRole();
}

/** Begins with the view of the role, unless a link has led to another one. */
function openViewOfRole(): void {
  const role = user.value?.role;
  if (role && !parameter('view')) open(linkTo(VIEWS_OF[role][0] ?? 'fleet'), { replace: true });
}

export function signOut(): void {
  forgetTokens();
  tokenWanted.value = true;
  if (signsInAtIssuer.value) leave();
}
