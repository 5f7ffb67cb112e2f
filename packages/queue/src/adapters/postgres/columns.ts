import type { OutgoingMessage } from '../../driver.ts';
import { PackedHeaders } from './headers.ts';

/**
 * A batch as texts, one a column, for `columnRows`: what is written for each message is most of what publishing costs the
 * client. Bodies are one text, of which each message has its part; headers are written once for all that say the same.
 */
export function columnsOf(topic: string, batch: readonly OutgoingMessage[]): string[] {
  const ids: string[] = [];
  const bodies: Uint8Array[] = [];
  const starts: number[] = [];
  const sizes: number[] = [];
  const headerNumbers: number[] = [];
  const packed = new PackedHeaders();
  // With holes, up to the last message that has one
  const lanes: string[] = [];
  const delays: number[] = [];
  const priorities: number[] = [];
  const expiries: number[] = [];
  let start = 1;
  for (const { id, body, headers, key, delayMs, priority, expiresInMs } of batch) {
    const at = ids.push(id) - 1;
    bodies.push(body);
    starts.push(start);
    sizes.push(body.byteLength);
    start += body.byteLength;
    headerNumbers.push(packed.add(headers, { id, topic, key }));
    if (key !== undefined) lanes[at] = laneOf(key);
    if (delayMs !== undefined) delays[at] = delayMs;
    if (priority !== undefined) priorities[at] = priority;
    if (expiresInMs !== undefined) expiries[at] = expiresInMs;
  }
  const joined = Buffer.concat(bodies, start - 1).toString('base64');
  const numbers = [starts, sizes, headerNumbers, delays, priorities, expiries].map(array);
  return [JSON.stringify(ids), joined, JSON.stringify(packed.texts), JSON.stringify(lanes), ...numbers];
}

/** A key as it is in the table: never empty, as that of a message without one is. */
export function laneOf(key: string): string {
  return `k${key}`;
}

/** A hole is null in JSON, and so it is in an array of PostgreSQL. */
function array(numbers: readonly number[]): string {
  return `{${JSON.stringify(numbers).slice(1, -1)}}`;
}

/** How many parameters `columnsOf` makes. */
export const columnCount = 10;

/**
 * SQL of the rows of a batch, numbered by `n`: id, body, headers, lane, delay, priority, expiry. Columns that end earlier
 * go on with NULL. The bodies and the texts of headers are read once.
 *
 * @param first the number of its first parameter
 */
export function columnRows(first: number): string {
  const parameter = (at: number) => `$${first + at}::text`;
  const texts = (at: number) => `json_array_elements_text(${parameter(at)}::json)`;
  const numbers = (at: number, type: string) => `unnest(${parameter(at)}::${type}[])`;
  const columns = [
    texts(0),
    texts(3),
    numbers(4, 'int'),
    numbers(5, 'int'),
    numbers(6, 'int'),
    numbers(7, 'float8'),
    numbers(8, 'smallint'),
    numbers(9, 'float8'),
  ];
  return `SELECT r.n, r.id, substring((SELECT decode(${parameter(1)}, 'base64')) FROM r.start FOR r.size) AS body,
    (ARRAY(SELECT ${texts(2)}))[r.header] AS headers, coalesce(r.lane, '') AS lane, coalesce(r.delay, 0) AS delay,
    coalesce(r.priority, 0::smallint) AS priority, r.expiry
    FROM ROWS FROM (${columns.join(', ')}) WITH ORDINALITY AS r (id, lane, start, size, header, delay, priority, expiry, n)`;
}
