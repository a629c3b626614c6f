// The authorization-code flow (RFC 6749) at the issuer of the platform, with PKCE (RFC 7636).
//
// The platform redirects to the issuer, and passes codes and refresh tokens on to it: this page connects to no other
// origin. What the page must know again when the issuer leads back to it is in the storage of this tab until then: random
// values that are used once, and no token.

import { call } from '../api/client';
import { Problem } from '../api/problem';
import { open } from '../route';
import { claimsOf } from './claims';

/** The answer of the issuer (RFC 6749, 5.1). */
export interface Tokens {
  access_token: string;
  expires_in?: number;
  refresh_token?: string;
  id_token?: string;
}

/** What a sign-in in progress needs when the issuer leads back here. */
interface Pending {
  state: string;
  nonce: string;
  verifier: string;
  /** The query of the page when the user began. */
  from: string;
}

/** The parameters with which the issuer leads back to the page. */
interface Returned {
  state: string;
  code: string | null;
  error: string | null;
  issuer: string | null;
}

const PENDING = 'socar.sign-in';

/** Whether this browser can do the flow: it has digests on https and on this machine only. */
export const canSignIn = (): boolean => globalThis.crypto?.subtle !== undefined;

/** Leaves the page for the issuer. */
export async function begin(): Promise<void> {
  const pending: Pending = { state: random(), nonce: random(), verifier: random(), from: location.search };
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(pending.verifier));
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const parameters = { redirect_uri: page(), state: pending.state, nonce: pending.nonce, code_challenge: base64Url(new Uint8Array(digest)) };
  location.assign(`/identity/authorization?${new URLSearchParams(parameters)}`);
}

/** The parameters of the issuer, which disappear from the address; `undefined` if it has not led here. */
export function takeReturned(): Returned | undefined {
  const query = new URLSearchParams(location.search);
  const returned = { state: query.get('state'), code: query.get('code'), error: query.get('error'), issuer: query.get('iss') };
  if (returned.state === null || (returned.code === null && returned.error === null)) return undefined;
  open(peek()?.from || '?', { replace: true });
  return { ...returned, state: returned.state };
}

/** The tokens for the code of the issuer, if this tab has asked for it. */
export async function finish(returned: Returned, issuer: string | undefined): Promise<Tokens> {
  const pending = peek();
  sessionStorage.removeItem(PENDING);
  const isOwn = pending?.state === returned.state && (returned.issuer === null || returned.issuer === issuer);
  if (!pending || !isOwn || returned.code === null) throw new Problem({ slug: 'grant-refused', detail: returned.error ?? 'another sign-in' });
  const grant = { grant_type: 'authorization_code', code: returned.code, code_verifier: pending.verifier, redirect_uri: page() };
  const { body } = await call<Tokens>('POST', '/identity/grant', { body: grant });
  if (body.id_token !== undefined && claimsOf(body.id_token)?.nonce !== pending.nonce) throw new Problem({ slug: 'grant-refused', detail: 'another nonce' });
  return body;
}

/** New tokens for a refresh token. */
export async function renew(refreshToken: string): Promise<Tokens> {
  const grant = { grant_type: 'refresh_token', refresh_token: refreshToken };
  return (await call<Tokens>('POST', '/identity/grant', { body: grant })).body;
}

/** Leaves the page for the issuer, which leads back to it when the user has signed out. */
export const leave = (): void => location.assign(`/identity/sign-out?${new URLSearchParams({ post_logout_redirect_uri: page() })}`);

/** The address that the issuer knows. */
const page = (): string => `${location.origin}/`;

function peek(): Pending | undefined {
  const stored = sessionStorage.getItem(PENDING);
  return stored === null ? undefined : (JSON.parse(stored) as Pending);
}

/** 256 random bits. */
const random = (): string => base64Url(crypto.getRandomValues(new Uint8Array(32)));

const base64Url = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
