import type { ReadonlySignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { ALERT_NEWS, openAlerts } from '../model.ts';
import { Alerts } from './alerts.tsx';
import { Changes, CHANGES } from './changes.tsx';
import { History } from './history.tsx';
import { Live } from './live/live.tsx';
import { Now } from './now.tsx';
import { Operations, OPERATIONS } from './operations.tsx';
import { Security, SECURITY } from './security.tsx';
import { Server } from './server/server.tsx';

export interface View {
  name: string; // in the address
  title: string;
  View: ComponentType;
  /** Of the events that it shows, whichever view is looked at. */
  types?: string[];
  /** What waits there. */
  badge?: ReadonlySignal<number>;
}

/** The first one is shown unless the address says another. */
export const VIEWS: View[] = [
  { name: 'now', title: 'Now', View: Now },
  { name: 'live', title: 'Live', View: Live },
  { name: 'changes', title: 'Changes', View: Changes, types: CHANGES },
  { name: 'security', title: 'Security', View: Security, types: SECURITY },
  { name: 'alerts', title: 'Alerts', View: Alerts, types: ALERT_NEWS, badge: openAlerts },
  { name: 'operations', title: 'Operations', View: Operations, types: OPERATIONS },
  { name: 'history', title: 'History', View: History },
  { name: 'server', title: 'Server', View: Server },
];
