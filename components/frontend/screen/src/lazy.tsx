// A view whose code is loaded when it is opened for the first time.

import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { word } from './words';

export function lazy(load: () => Promise<ComponentType>): ComponentType {
  let loaded: ComponentType | undefined;
  return function Lazy() {
    const [, redraw] = useState(0);
    const [isFailed, setFailed] = useState(false);
    useEffect(() => {
      if (loaded) return;
      load().then(
        (component) => {
          loaded = component;
          redraw(1);
        },
        () => setFailed(true),
      );
    }, []);
    const View = loaded;
    if (View) return <View />;
    return (
      <main id="content" class="loading" tabIndex={-1}>
        <p role="status">{word(isFailed ? 'view.failed' : 'view.loading')}</p>
      </main>
    );
  };
}
