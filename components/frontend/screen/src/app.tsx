// The frame of the screen: the navigation, the preferences, and one of the three views.

import { useEffect, useRef } from 'preact/hooks';
import { BookView } from './book/book-view';
import { FleetView } from './fleet/fleet-view';
import { isSignedOut } from './identity/session';
import { SignIn } from './identity/sign-in';
import { OfflineNote } from './parts/offline-note';
import { Toast } from './parts/toast';
import { language } from './preferences';
import { follow, isBack, parameter, view } from './route';
import { TopBar } from './top-bar';
import { lazy } from './lazy';
import { word, type Word } from './words';

const OperateView = lazy(() => import('./operate/operate-view').then((module) => module.OperateView));
const VIEWS = { book: BookView, fleet: FleetView, operate: OperateView };

export function App() {
  const shown = view.value;
  const View = VIEWS[shown];
  useTitle(word(`title.${shown}` as Word));
  useFocusOnChange(`${shown} ${parameter('car')} ${parameter('rsv')}`);
  return (
    <div class="screen" onClick={follow} data-view={shown} lang={language.value}>
      <a class="skip" href="#content">
        {word('skip')}
      </a>
      <TopBar />
      <OfflineNote />
      {isSignedOut.value ? <SignIn /> : <View key={shown} />}
      <Toast />
    </div>
  );
}

function useTitle(title: string) {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

/** The focus follows to the heading of what a link has opened, so that a screen reader reads it. */
function useFocusOnChange(shown: string) {
  const before = useRef(shown);
  useEffect(() => {
    if (before.current === shown) return;
    before.current = shown;
    const heading = document.querySelector<HTMLElement>('#content [data-heading]');
    heading?.focus({ preventScroll: true });
    if (!isBack) scrollTo(0, 0);
  }, [shown]);
}
