import type { Client, State } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** How a connection stands. */
export function Connection({ of, state: now }: { of: Client; state: State }) {
  const seconds = useSignal(0);
  useEffect(() => {
    if (now.name !== 'waiting') return;
    const tell = () => (seconds.value = Math.max(0, Math.ceil((now.until - Date.now()) / 1000)));
    tell();
    const timer = setInterval(tell, 500);
    return () => clearInterval(timer);
  }, [now]);
  if (now.name === 'live')
    return (
      <span role="status" class="state good">
        connected
      </span>
    );
  if (now.name === 'connecting')
    return (
      <span role="status" class="state">
        connecting…
      </span>
    );
  return (
    <span role="status" class="state bad">
      {now.name === 'waiting' ? `disconnected, next try in ${seconds.value} s` : 'disconnected'}: {now.why}{' '}
      <button type="button" onClick={() => of.connect()}>
        Try now
      </button>
    </span>
  );
}
