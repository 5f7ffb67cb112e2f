import type { Position } from '../../session.ts';

/**
 * Where the history of the servers branched: kept under a key of their own, so that it is replicated with the data and every
 * process sees the same. Redis names a branch by a random identifier, which says nothing of earlier and later.
 */
export interface History {
  /** Grows with each promotion. */
  readonly term: number;
  /** Redis's identifier of the branch, which it also changes when a primary is started again. */
  readonly replid: string;
  /** How often that happened: offsets begin anew then, and the data does not. */
  readonly restarts: number;
  /** The id of the server that was promoted. */
  readonly primary: string;
  /** Where earlier terms ended, the newest last. An end that is not known is not there. */
  readonly ends: readonly (readonly [term: number, offset: string])[];
  /** Names the data of all branches that come from it: the identifier of the first. */
  readonly origin?: string | undefined;
  /** No data has been seen yet: what nobody has written differs from nothing. */
  readonly isEmpty?: true | undefined;
}

/** What INFO says of replication. */
export interface Replication {
  readonly role: 'primary' | 'replica';
  readonly replid: string;
  /** The branch before, of which the server has everything before `secondOffset`. */
  readonly replid2: string;
  readonly secondOffset: bigint;
  readonly offset: bigint;
  readonly isReceiving: boolean;
  /** How many replicas a primary counts that demands some, before it takes a write. */
  readonly acknowledging: number | undefined;
}

const maxEnds = 32;
const none = '0'.repeat(40);

/** No server has ever been here: what is read there may be anything. */
export const nowhere: Position = { term: 0, offset: 0n };

export function replicationOf(info: string): Replication {
  const fields = fieldsOf(info);
  const replicas = fields.get('min_slaves_good_slaves');
  const offset = fields.get('slave_repl_offset') ?? fields.get('master_repl_offset') ?? '0';
  return {
    role: fields.get('role') === 'master' ? 'primary' : 'replica',
    replid: fields.get('master_replid') ?? none,
    replid2: fields.get('master_replid2') ?? none,
    secondOffset: BigInt(fields.get('second_repl_offset') ?? '-1'),
    offset: BigInt(offset) > 0n ? BigInt(offset) : 0n,
    isReceiving: fields.get('master_link_status') === 'up',
    acknowledging: replicas === undefined ? undefined : Number(replicas),
  };
}

/** The fields of a text of INFO. */
export function fieldsOf(info: string): ReadonlyMap<string, string> {
  const lines = info.split('\n').map(line => line.trim().split(/:(.*)/s));
  return new Map(lines.map(([name = '', value = '']) => [name, value]));
}

/** @throws Error when it is no history of ours */
export function readHistory(text: string): History {
  const { term, replid, restarts, primary, ends, origin, isEmpty } = JSON.parse(text) as History;
  const isOurs = Number.isSafeInteger(term) && Number.isSafeInteger(restarts) && Array.isArray(ends);
  if (!isOurs || typeof replid !== 'string' || typeof primary !== 'string')
    throw new Error('it is no history');
  const name = typeof origin === 'string' ? { origin, ...(isEmpty === true && { isEmpty }) } : {};
  return { term, replid, restarts, primary, ends, ...name };
}

/** Where a server is that has this history in its data. */
export function positionIn(history: History | undefined, replication: Replication): Position {
  if (history === undefined) return nowhere;
  const { term, replid, restarts } = history;
  const { offset, replid2, secondOffset } = replication;
  if (replication.replid === replid) return { term, offset: absolute(restarts, offset) };
  // It follows a new primary whose note of that has not come yet
  if (replid2 === replid && secondOffset > 0n) {
    const last = secondOffset - 1n;
    return { term, offset: absolute(restarts, offset < last ? offset : last) };
  }
  return nowhere;
}

export function endsOf({ ends }: History): Position[] {
  return ends.map(([term, offset]) => ({ term, offset: BigInt(offset) }));
}

/**
 * What a primary must have noted: the same for each process that looks.
 *
 * @param noted what its data says
 * @param known what this process has seen of any server, by identifier: the data may have been flushed
 */
export function historyOf(
  id: string,
  { replid, replid2, secondOffset }: Replication,
  noted: History | undefined,
  known: ReadonlyMap<string, History>,
): History {
  const own = later(noted?.replid === replid ? noted : undefined, known.get(replid));
  if (own !== undefined) return own;
  const parent = later(noted?.replid === replid2 ? noted : undefined, known.get(replid2));
  if (parent !== undefined) {
    const end = absolute(parent.restarts, secondOffset - 1n);
    return next(parent, { term: parent.term + 1, replid, primary: id }, [parent.term, String(end)]);
  }
  const latest = [...known.values()].reduce<History | undefined>(later, undefined);
  if (noted !== undefined) {
    const restarts = noted.restarts + 1;
    // Started again, with all that it had written. Another server has come from elsewhere: where the term ended is unknown
    if (noted.primary === id && replid2 === none) return { ...noted, replid, restarts };
    return next(noted, { term: noted.term + 2, replid, primary: id, restarts });
  }
  // The primary that we knew has lost its data; of another one, we know nothing
  const term = latest?.primary === id ? latest.term + 1 : 1;
  // A server that was ours before has lost its history alone, with or without its data
  const { origin = replid } = [...known.values()].find(each => each.primary === id) ?? {};
  return { term, replid, restarts: 0, primary: id, ends: [], origin, isEmpty: true };
}

/**
 * Names the data that the server has, as far as it can be told from what others have. A replica without a history of its own
 * is told by its branch: one that nobody knows is that of a primary elsewhere.
 */
export function clusterOf(
  noted: History | undefined,
  { replid, replid2, isReceiving }: Replication,
  known: ReadonlyMap<string, History>,
): string | undefined {
  const history = noted ?? known.get(replid) ?? known.get(replid2);
  if (history !== undefined) return nameOf(history);
  const isKnown = [...known.values()].some(each => nameOf(each) !== undefined);
  return isReceiving && isKnown ? replid : undefined;
}

export function nameOf({ origin, isEmpty }: History): string | undefined {
  return isEmpty ? undefined : origin;
}

/** How many keys there are, by what INFO says of them. */
export function keysOf(info: string): number {
  return [...info.matchAll(/^db\d+:keys=(\d+)/gm)].reduce((sum, [, keys]) => sum + Number(keys), 0);
}

function next(
  before: History,
  change: Partial<History>,
  ...ends: readonly (readonly [number, string])[]
): History {
  return { ...before, ...change, ends: [...before.ends, ...ends].slice(-maxEnds) };
}

export function later(one: History | undefined, other: History | undefined): History | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.term > one.term ? other : one;
}

/** No server writes a pebibyte between two restarts. */
function absolute(restarts: number, offset: bigint): bigint {
  return (BigInt(restarts) << 50n) + offset;
}
