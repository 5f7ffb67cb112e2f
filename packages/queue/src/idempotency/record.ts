import { describe } from '@ashlar/core';
import type { Running } from '../consuming/context.ts';
import type { Delivery } from '../driver.ts';
import { binary } from '../messages/envelope.ts';
import { textOf } from '../messages/text.ts';
import type { KeyOf } from './once.ts';

/** The name of the record of a message: another for each group. */
export function recordName(running: Running, payload: unknown, key: KeyOf | undefined): string {
  const own = key === undefined ? running.id : key(payload as never, running);
  if (typeof own === 'string' && own !== '') return `${running.group}:${running.topic}:${own}`;
  throw new TypeError(`\`idempotency.key\` must return a string that is not empty, got ${describe(own)}`);
}

/**
 * Of what a message says, so that another one under the same key is not taken for the same. In JSON, names may come in any
 * order: whoever publishes again need not write them as before.
 */
export function fingerprintOf({ body, contentType, headers }: Delivery): string {
  const { createHash } = process.getBuiltinModule('node:crypto'); // no import, as browsers have none
  const isBytes = (contentType ?? headers['content-type']) === binary;
  const said = (isBytes ? undefined : canonical(body)) ?? body;
  return createHash('sha256').update(said).digest('base64url').slice(0, 22);
}

/** JSON with the names of each object in one order; undefined of what is none. */
function canonical(body: Uint8Array): string | undefined {
  try {
    return JSON.stringify(JSON.parse(textOf(body)), (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value) ? sorted(value) : value,
    );
  } catch {
    return undefined; // Or it is nested too deep
  }
}

function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
