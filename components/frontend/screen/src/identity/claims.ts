// The claims of a token, for display and for the nonce. The platform alone verifies tokens.

export interface Claims {
  sub?: unknown;
  roles?: string[];
  nonce?: unknown;
}

/** The claims of a token; without any if it cannot be read. */
export function claimsOf(token: string | undefined): Claims | undefined {
  if (!token) return undefined;
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Claims;
  } catch {
    return { sub: '' };
  }
}
