import type { BindcastEvent } from '@bindcast/client';
import { formatTime, formatValue } from './format.ts';

export interface Column {
  key: string;
  title: string;
  width: string; // of CSS's grid
  text(event: BindcastEvent): string;
  /** What is said where the pointer rests on it, if that is not the text. */
  hint?(event: BindcastEvent): string;
  /** Its numbers stand one below the other. */
  isNumber?: boolean;
  /** The field of the filter language that the column shows; without one there is nothing to filter by. */
  field?(event: BindcastEvent): string;
}

const SUBJECTS = ['qname', 'name', 'rule', 'zone', 'policy_zone', 'domain', 'server', 'component', 'user', 'event_type', 'target',
  'message', 'action', 'detector', 'reason'];

function subject(event: BindcastEvent): string {
  return SUBJECTS.find((key) => event.data[key] !== undefined) ?? '';
}

function ofData(key: string, title: string, width: string): Column {
  return { key, title, width, text: (event) => formatValue(event.data[key]), field: () => `data.${key}` };
}

function ofEvent(key: string, title: string, width: string): Column {
  return { key, title, width, text: (event) => formatValue(event[key]), field: () => key };
}

export const COLUMNS: Column[] = [
  { key: 'time', title: 'Time', width: '7rem', text: (event) => formatTime(event.timestamp), hint: (event) => event.timestamp },
  ofEvent('type', 'Type', '12rem'),
  ofData('client', 'Client', '10rem'),
  {
    key: 'subject',
    title: 'Name',
    width: 'minmax(9rem, 1fr)',
    text: (event) => formatValue(event.data[subject(event)]),
    field: (event) => (subject(event) === '' ? '' : `data.${subject(event)}`),
  },
  {
    key: 'what', // for where there is no room for both
    title: 'Name or type',
    width: 'minmax(9rem, 1fr)',
    text: (event) => formatValue(event.data[subject(event)]) || event.type,
    field: (event) => (subject(event) === '' ? 'type' : `data.${subject(event)}`),
  },
  ofData('qtype', 'Query', '5rem'),
  {
    key: 'rcode',
    title: 'Answer',
    width: '6rem',
    text: (event) => (event.data['dropped'] === true ? 'dropped' : formatValue(event.data['rcode'])),
    field: (event) => (event.data['rcode'] === undefined ? '' : 'data.rcode'),
  },
  {
    key: 'latency_us',
    title: 'ms',
    width: '5rem',
    isNumber: true,
    text: (event) => {
      const us = event.data['latency_us'];
      return typeof us === 'number' ? (us / 1000).toFixed(2) : '';
    },
  },
  { ...ofData('count', 'Count', '5rem'), isNumber: true },
  ofData('transport', 'By', '4rem'),
  ofData('view', 'View', '7rem'),
  ofEvent('category', 'Category', '6rem'),
  ofEvent('priority', 'Priority', '6rem'),
  ofEvent('severity', 'Severity', '6rem'),
];

export const FIRST_COLUMNS = ['time', 'type', 'client', 'subject', 'qtype', 'rcode', 'latency_us'];
export const FIRST_COLUMNS_OF_A_PHONE = ['time', 'what', 'rcode'];
