import { InvalidValueError } from '../errors/statements.ts';
import { TwoPhaseUnavailableError } from '../errors/two-phase.ts';

/** What PostgreSQL takes for the name of a prepared transaction, without the zero at its end. */
const longest = 199;

/** What the names of our prepared transactions begin with. */
export const gidPrefix = 'ashlar:';

/** That of the transactions of one router. */
export function prefixOf(router: string): string {
  return `${gidPrefix}${encodeURIComponent(router)}:`;
}

/** Names a transaction: the shard that keeps its verdict, and when it began by that one's clock. */
export function newId(shard: string, nowMs: number): string {
  const random = globalThis.crypto.randomUUID().replaceAll('-', '').slice(0, 20);
  return `${encodeURIComponent(shard)}:${nowMs.toString(36)}:${random}`;
}

/** What an id says. @throws InvalidValueError when it is none */
export function readId(id: string): { readonly shard: string; readonly begunAt: number } {
  const [shard, begunAt, random, more] = String(id).split(':');
  if (shard === undefined || !/^[\da-z]+$/.test(begunAt ?? '') || !/^[\da-f]{20}$/.test(random ?? '') || more)
    throw new InvalidValueError('of verdicts', `has no transaction ${JSON.stringify(id)}`);
  return { shard: decodeURIComponent(shard), begunAt: Number.parseInt(begunAt!, 36) };
}

/** The name of the part of a transaction at one shard: databases of one server share their names. @throws TwoPhaseUnavailableError */
export function gidOf(router: string, id: string, shard: string): string {
  const gid = `${prefixOf(router)}${id}:${encodeURIComponent(shard)}`;
  if (gid.length <= longest) return gid;
  const why = `the names of the router and its shards are too long for a prepared transaction: ${JSON.stringify(gid)}`;
  throw new TwoPhaseUnavailableError(undefined, why);
}

/** The id in the name of a part; undefined when the name is not that of one. */
export function idIn(gid: string): { readonly router: string; readonly id: string } | undefined {
  const [, router, shard, begunAt, random] = gid.split(':');
  if (!gid.startsWith(gidPrefix) || random === undefined) return undefined;
  return { router: decodeURIComponent(router!), id: `${shard}:${begunAt}:${random}` };
}
