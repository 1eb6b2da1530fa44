import type { Client, State } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** How a connection stands. What is said aloud is only that it changed: not each second until the next try. */
export function Connection({ of, state: now }: { of: Client; state: State }) {
  const seconds = useSignal(0);
  useEffect(() => {
    if (now.name !== 'waiting') return;
    const tell = () => (seconds.value = Math.max(0, Math.ceil((now.until - Date.now()) / 1000)));
    tell();
    const timer = setInterval(tell, 500);
    return () => clearInterval(timer);
  }, [now]);
  if (now.name === 'live' || now.name === 'connecting')
    return (
      <span class={now.name === 'live' ? 'state good' : 'state'}>
        <span role="status">{now.name === 'live' ? 'connected' : 'connecting…'}</span>
      </span>
    );
  return (
    <span class="state bad">
      <span role="status">disconnected: {now.why}</span>
      {now.name === 'waiting' && `, next try in ${seconds.value} s`}{' '}
      <button type="button" onClick={() => of.connect()}>
        Try now
      </button>
    </span>
  );
}
