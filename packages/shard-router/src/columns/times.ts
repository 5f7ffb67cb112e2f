import type { Column } from './column.ts';
import { order } from './numbers.ts';

const day = /^(\d{4,7})-(\d\d)-(\d\d)( BC)?$/;
const instant =
  /^(\d{4,6})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:Z|([+-])(\d\d)(?::?(\d\d))?)$/;
/** What `fromText` makes, also of times that a `Date` has not. */
const ownInstant = /^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z( BC)?$/;

export const date: Column = {
  wants: 'a day as 2026-11-29',
  parse(value) {
    if (typeof value !== 'string') return undefined;
    if (isInfinite(value)) return value;
    const [, year, month, dayOfMonth, bc] = day.exec(value) ?? [];
    if (year === undefined || Number(year) === 0) return undefined;
    if (year.length > 4 && year.startsWith('0')) return undefined;
    const signed = bc === undefined ? Number(year) : 1 - Number(year);
    return isDay(signed, Number(month), Number(dayOfMonth)) ? value : undefined;
  },
  compare: compareTimes,
  identity: String,
  toText: String,
  fromText: String,
  sqlIn: parameter => `${parameter}::text::date`,
  sqlOut: column => `(to_json(${column}) #>> '{}')`,
};

export const timestamptz: Column = {
  wants: 'a Date, or a time with its zone as 2026-11-29T10:30:00.123456Z',
  parse(value) {
    if (value instanceof Date)
      return Number.isNaN(value.getTime()) ? undefined : parseInstant(value.toISOString());
    if (typeof value !== 'string') return undefined;
    return isInfinite(value) || ownInstant.test(value) ? checked(value) : parseInstant(value);
  },
  compare: compareTimes,
  identity: String,
  toText: String,
  fromText(written) {
    if (isInfinite(written) || ownInstant.test(written)) return written;
    const [time, era = ''] = written.split(' ', 2) as [string, string?];
    const [seconds, fraction = ''] = time.split('.') as [string, string?];
    return `${seconds}.${fraction.padEnd(6, '0')}Z${era === '' ? '' : ` ${era}`}`;
  },
  sqlIn: parameter => `${parameter}::text::timestamptz`,
  sqlOut: column => `(to_json(${column} AT TIME ZONE 'UTC') #>> '{}')`,
};

function isInfinite(value: string): boolean {
  return value === 'infinity' || value === '-infinity';
}

/** A time as `fromText` makes it is taken as it is, but the fields must be those of a time. */
function checked(value: string): string | undefined {
  if (isInfinite(value) || value.endsWith(' BC')) return value;
  return parseInstant(value);
}

/** In UTC, with six digits behind the point, so that times of four-digit years are in the order of their texts. */
function parseInstant(value: string): string | undefined {
  const fields = instant.exec(value);
  if (fields === null) return undefined;
  const [year, month, dayOfMonth, hour, minute, second] = fields.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [, , , , , , , fraction = '', sign, zoneHours = '0', zoneMinutes = '0'] = fields;
  if (year === 0 || !isDay(year, month, dayOfMonth) || hour > 23 || minute > 59 || second > 59)
    return undefined;
  if (Number(zoneHours) > 15 || Number(zoneMinutes) > 59) return undefined;
  const offset = (Number(zoneHours) * 60 + Number(zoneMinutes)) * (sign === '-' ? -1 : 1);
  const utc = new Date(0);
  utc.setUTCFullYear(year, month - 1, dayOfMonth);
  utc.setUTCHours(hour, minute - offset, second);
  const utcYear = utc.getUTCFullYear();
  if (Number.isNaN(utc.getTime()) || utcYear < 1) return undefined;
  const rest = utc.toISOString().slice(-20, -5);
  return `${String(utcYear).padStart(4, '0')}${rest}.${fraction.padEnd(6, '0')}Z`;
}

function isDay(year: number, month: number, dayOfMonth: number): boolean {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return month >= 1 && month <= 12 && dayOfMonth >= 1 && dayOfMonth <= days[month - 1]!;
}

function compareTimes(a: string, b: string): number {
  if (a.charCodeAt(4) === 45 && b.charCodeAt(4) === 45 && !a.endsWith('C') && !b.endsWith('C'))
    return order(a, b);
  const [rankA, rankB] = [eraOf(a), eraOf(b)];
  if (rankA !== rankB) return rankA - rankB;
  if (Math.abs(rankA) === 2) return 0;
  const [yearA, yearB] = [Number.parseInt(a, 10), Number.parseInt(b, 10)];
  if (yearA !== yearB) return rankA * (yearA - yearB);
  return order(a, b);
}

/** -2 and 2: infinity; -1: before Christ, where the greater year is the earlier. */
function eraOf(value: string): number {
  if (value === 'infinity') return 2;
  if (value === '-infinity') return -2;
  return value.endsWith('BC') ? -1 : 1;
}
