// The form before everything else on a platform that asks who the user is.

import { useState } from 'preact/hooks';
import { Icon } from '../parts/icon';
import { ProblemNotice } from '../parts/problem-notice';
import { useCommand } from '../parts/use-command';
import { word, type Word } from '../words';
import { identity, isSigningIn, ROLES, signInAs, signInAtIssuer, signInProblem, signInWith, signsInAtIssuer, type Role } from './session';

export function SignIn() {
  return (
    <main id="content" class="sign-in" tabIndex={-1}>
      <section class="card">
        <Icon name="person" />
        <h1>{word(isSigningIn.value ? 'signIn.running' : 'signIn.wanted')}</h1>
        {!isSigningIn.value && (
          <>
            <p class="soft">{word('signIn.why')}</p>
            <SignInForm />
          </>
        )}
      </section>
    </main>
  );
}

function SignInForm() {
  if (signsInAtIssuer.value) return <SignInAtIssuer />;
  return identity.value.mode === 'local' ? <SignInAs /> : <SignInWithToken />;
}

function SignInAtIssuer() {
  const command = useCommand();
  const problem = command.problem ?? signInProblem.value;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        command.run(signInAtIssuer);
      }}
    >
      {problem && <ProblemNotice problem={problem} />}
      <button type="submit" class="primary large" aria-disabled={command.isRunning}>
        {word('signIn')}
      </button>
      <p class="soft">{word('signIn.issuer', { issuer: identity.value.issuer ?? '' })}</p>
    </form>
  );
}

function SignInAs() {
  const [role, setRole] = useState<Role>('customer');
  const [name, setName] = useState('');
  const command = useCommand();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        command.run(() => signInAs(role, name.trim() || role));
      }}
    >
      <fieldset class="roles">
        <legend>{word('signIn.role')}</legend>
        {ROLES.map((each) => (
          <label key={each}>
            <input type="radio" name="role" checked={role === each} onChange={() => setRole(each)} />
            <span>
              <strong>{word(`role.${each}` as Word)}</strong>
              <small>{word(`role.${each}.about` as Word)}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <label class="field">
        <span>{word('signIn.name')}</span>
        <input value={name} onInput={(event) => setName(event.currentTarget.value)} placeholder={word('signIn.name.hint')} pattern="[!-~]{0,255}" autocomplete="username" />
      </label>
      {command.problem && <ProblemNotice problem={command.problem} />}
      <button type="submit" class="primary large" aria-disabled={command.isRunning}>
        {word('signIn')}
      </button>
    </form>
  );
}

function SignInWithToken() {
  const [token, setToken] = useState('');
  return (
    <form
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        if (token.trim()) signInWith(token.trim());
      }}
    >
      <label class="field">
        <span>{word('signIn.token')}</span>
        <input type="password" required value={token} onInput={(event) => setToken(event.currentTarget.value)} aria-describedby="token-help" />
      </label>
      <p id="token-help" class="soft">
        {word('signIn.token.help')}
      </p>
      <button type="submit" class="primary large">
        {word('signIn')}
      </button>
    </form>
  );
}
