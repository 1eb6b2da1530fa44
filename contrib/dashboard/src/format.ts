const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

export const formatCount = (value: number) => count.format(value);
export const formatEvents = (value: number) => `${formatCount(value)} ${value === 1 ? 'event' : 'events'}`;
/** 1 event is missing; of 0 nobody knows how many. */
export const formatMissing = (value: number) =>
  `${value === 0 ? 'Events' : formatEvents(value)} ${value === 1 ? 'is' : 'are'} missing`;
export const formatShort = (value: number) => short.format(value);

// All times are shown in the browser's time zone, which the head of the page says.

// What else Date takes for a time, as `abc-000000000012`, may be the id of an event.
const RFC_3339 = /^\d{4}-\d\d-\d\dT/;

const pad = (value: number, width = 2) => String(value).padStart(width, '0');

function clock(time: Date): string {
  return `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
}

/** 14:02:11.031 of an RFC 3339 time. */
export function formatTime(timestamp: string): string {
  const time = new Date(timestamp);
  if (Number.isNaN(time.getTime())) return timestamp;
  return `${clock(time)}.${pad(time.getMilliseconds(), 3)}`;
}

/** 2026-01-31 14:02:11 of an RFC 3339 time. */
export function formatMoment(timestamp: string): string {
  const time = new Date(RFC_3339.test(timestamp) ? timestamp : NaN);
  if (Number.isNaN(time.getTime())) return timestamp;
  return `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())} ${clock(time)}`;
}

/** The RFC 3339 time of a moment as formatMoment writes it, also without its seconds or its time; else the text itself. */
export function momentFrom(text: string): string {
  if (!/^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?$/.test(text)) return text;
  const time = new Date(text.length > 10 ? text.replace(' ', 'T') : `${text}T00:00`);
  return Number.isNaN(time.getTime()) ? text : time.toISOString().replace('.000', '');
}

/** The browser's time zone now: UTC, UTC+01:00. */
export function timeZone(): string {
  const minutes = -new Date().getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? '−' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    ++unit;
  }
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`;
}

/** A share from 0 to 1. */
export const formatShare = (share: number, digits = 1) => `${(share * 100).toFixed(digits)} %`;

/** Clocks differ, and none of them measures less than nothing. */
export function formatDuration(seconds: number): string {
  seconds = Math.max(0, seconds);
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** Any value of an event as one line of text. */
export function formatValue(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  return JSON.stringify(value);
}
