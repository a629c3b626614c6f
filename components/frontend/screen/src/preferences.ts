// The language and the colour mode: those of the browser, or those that the user has chosen.

import { effect, signal } from '@preact/signals';

export type Language = 'ko' | 'en';
export type Theme = 'system' | 'light' | 'dark';

/** What a browser that forbids storage cannot keep. It is lost with the page. */
const ofThisPage = new Map<string, string>();

/** Korean is the first language of the product; a browser whose first known language is English gets English. */
const languageOfBrowser = (): Language => {
  const known = navigator.languages.map((each) => each.slice(0, 2)).find((each) => each === 'ko' || each === 'en');
  return known === 'en' ? 'en' : 'ko';
};

const chosenLanguage = recall('language');
export const language = signal<Language>(chosenLanguage === 'ko' || chosenLanguage === 'en' ? chosenLanguage : languageOfBrowser());
const chosenTheme = recall('theme');
export const theme = signal<Theme>(chosenTheme === 'light' || chosenTheme === 'dark' ? chosenTheme : 'system');

export function chooseLanguage(chosen: Language): void {
  language.value = chosen;
  remember('language', chosen);
}

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  remember('theme', chosen);
}

effect(() => {
  document.documentElement.lang = language.value;
});
effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

/** The browser may forbid storage, or have no space left: the value then applies to this page only. */
export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`socar.${name}`, value);
    ofThisPage.delete(name);
  } catch {
    ofThisPage.set(name, value);
  }
}

export function recall(name: string): string | null {
  const value = ofThisPage.get(name);
  if (value !== undefined) return value;
  try {
    return localStorage.getItem(`socar.${name}`);
  } catch {
    return null;
  }
}

export function forget(name: string): void {
  ofThisPage.delete(name);
  try {
    localStorage.removeItem(`socar.${name}`);
  } catch {
    // A browser that forbids storage has kept nothing.
  }
}
