import { describe } from '@ashlar/core';
import type { Running } from '../consuming/context.ts';
import type { KeyOf } from './once.ts';

/** The name of the record of a message: another for each group. */
export function recordName(running: Running, payload: unknown, key: KeyOf | undefined): string {
  const own = key === undefined ? running.id : key(payload as never, running);
  if (typeof own === 'string' && own !== '') return `${running.group}:${running.topic}:${own}`;
  throw new TypeError(`\`idempotency.key\` must return a string that is not empty, got ${describe(own)}`);
}

/** Of a body, so that another message under the same key is not taken for the same. */
export function fingerprintOf(body: Uint8Array): string {
  const { createHash } = process.getBuiltinModule('node:crypto'); // no import, as browsers have none
  return createHash('sha256').update(body).digest('base64url').slice(0, 22);
}
