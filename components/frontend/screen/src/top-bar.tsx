// The bar with the views, the language, the colour mode and the user. On a phone, the views are at the bottom.

import { identity, isSignedOut, signOut, user, viewsOfUser } from './identity/session';
import { Icon, type IconName } from './parts/icon';
import { chooseLanguage, chooseTheme, language, theme, type Theme } from './preferences';
import { linkTo, view } from './route';
import { word, type Word } from './words';

export const TopBar = () => (
  <header class="top-bar">
    <a class="brand" href={linkTo(view.value)}>
      <img src="/assets/icon.svg" alt="" width="36" height="36" />
      <span>SOCAR</span>
    </a>
    <nav class="views" aria-label={word('views')}>
      {(isSignedOut.value ? [] : viewsOfUser.value).map((each) => (
        <a key={each} href={linkTo(each)} aria-current={view.value === each ? 'page' : undefined}>
          <Icon name={each satisfies IconName} />
          <span>{word(`view.${each}`)}</span>
        </a>
      ))}
    </nav>
    <div class="preferences">
      <UserNote />
      <ThemeChoice />
      <LanguageChoice />
    </div>
  </header>
);

function UserNote() {
  const current = user.value;
  if (!current) return null;
  return (
    <div class="user">
      <span>
        {current.name}
        {current.role && <small>{word(`role.${current.role}`)}</small>}
      </span>
      {identity.value.mode !== 'open' && (
        <button type="button" class="quiet" onClick={signOut}>
          {word('signIn.out')}
        </button>
      )}
    </div>
  );
}

function ThemeChoice() {
  return (
    <select aria-label={word('theme')} value={theme.value} onChange={(event) => chooseTheme(event.currentTarget.value as Theme)}>
      {(['system', 'light', 'dark'] as const).map((each) => (
        <option key={each} value={each}>
          {word(`theme.${each}` as Word)}
        </option>
      ))}
    </select>
  );
}

function LanguageChoice() {
  const other = language.value === 'ko' ? 'en' : 'ko';
  return (
    <button type="button" class="quiet" lang={other} onClick={() => chooseLanguage(other)}>
      {other === 'ko' ? '한국어' : 'English'}
    </button>
  );
}
