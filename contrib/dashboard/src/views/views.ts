import type { ReadonlySignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { Live } from './live/live.tsx';

export interface View {
  name: string; // in the address
  title: string;
  View: ComponentType;
  /** What waits there. */
  badge?: ReadonlySignal<number>;
}

/** The first one is shown unless the address says another. */
export const VIEWS: View[] = [{ name: 'live', title: 'Live', View: Live }];
