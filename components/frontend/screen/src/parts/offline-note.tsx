// A line that says that the browser has no connection.

import { useEffect, useState } from 'preact/hooks';
import { word } from '../words';

export function OfflineNote() {
  const [isOnline, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const update = () => setOnline(navigator.onLine);
    addEventListener('online', update);
    addEventListener('offline', update);
    return () => {
      removeEventListener('online', update);
      removeEventListener('offline', update);
    };
  }, []);
  return (
    <p class="offline" role="status" hidden={isOnline}>
      {isOnline ? '' : word('offline')}
    </p>
  );
}
