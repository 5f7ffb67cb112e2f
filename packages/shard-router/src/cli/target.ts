import { ConfigError, type Flags, type GivenFlags, importConfig, UsageError } from '@workspace/program';
import type { KeyColumn, KeyType, ShardKey } from '../keys/key-column.ts';
import type { Mover } from '../moves/mover.ts';
import type { MoveRequest, Zones } from '../moves/planner.ts';

export const configFlag: Flags = {
  config: {
    value: 'FILE',
    help: 'an ES module that exports a Mover as `default` or `mover`, and what is to be closed after it as `close`',
  },
};

export const idFlag: Flags = { id: { value: 'ID', help: 'the move, as `status` names it' } };

export const requestFlags: Flags = {
  split: {
    value: 'SHARD',
    help: 'gives a part of its slots to each of --into A,B, so that all have the same',
  },
  merge: { value: 'LIST', help: 'gives all slots of these shards to --into SHARD' },
  drain: { value: 'SHARD', help: 'gives all its slots to the others' },
  add: { value: 'SHARD', help: 'gives it a part of the slots of all others' },
  from: { value: 'SHARD', help: 'gives --slots, or --part, of its slots to --into SHARD' },
  place: { value: 'KEY', help: 'gives the key a slot of its own, on --into SHARD' },
  isolate: { value: 'KEY', help: 'leaves the key alone on --into SHARD (default: where it is)' },
  cut: { value: 'KEY', help: 'has a range begin at the key, on --into SHARD (default: where it is)' },
  join: {
    value: 'KEY',
    help: 'ends what --cut, --place or --isolate did at the key: two slots of one shard become one',
  },
  tables: { value: 'LIST', help: 'gives these tables to --into SHARD, where whole tables are in slots' },
  rebalance: { help: 'moves as few slots as it takes, so that all shards have the same' },
  into: {
    value: 'LIST',
    help: 'the shards that get slots; of --split, --merge, --from, --place, --isolate and --cut',
  },
  slots: { value: 'LIST', help: 'as 0-127,512; of --from' },
  part: { value: 'NUMBER', help: 'as 0.5 (default 1); of --from' },
  by: { value: 'load|size', help: 'what is to be the same (default: slots); of --rebalance and --add' },
  zones: {
    value: 'LIST',
    help: 'as one=eu,two=us: slots stay in their zone; of --rebalance, --add and --drain',
  },
  shards: {
    value: 'LIST',
    help: 'the shards that are to have slots (default: those of the map); of --rebalance',
  },
};

/** Loads what the file exports, and closes it whatever becomes of the work. @throws UsageError, ConfigError */
export function withMover<T>(given: GivenFlags, work: (mover: Mover) => Promise<T>): Promise<T> {
  return withConfig(given, async (file, loaded) => {
    const mover = moverIn(file, loaded);
    try {
      return await work(mover);
    } finally {
      await mover.close();
    }
  });
}

/** As `withMover`, of anything that the file exports. */
export async function withConfig<T>(
  given: GivenFlags,
  work: (file: string, loaded: Readonly<Record<string, unknown>>) => Promise<T>,
): Promise<T> {
  const file = given.get('config');
  if (file === undefined) throw new UsageError('--config is needed: --config FILE');
  const loaded = await importConfig(file);
  try {
    return await work(file, loaded);
  } finally {
    const { close } = loaded;
    if (typeof close === 'function') await close();
  }
}

function moverIn(file: string, loaded: Readonly<Record<string, unknown>>): Mover {
  for (const name of ['default', 'mover']) {
    const found = loaded[name] as Partial<Mover> | null | undefined;
    const methods = [
      'map',
      'plan',
      'begin',
      'run',
      'abort',
      'rollback',
      'finish',
      'status',
      'watch',
      'close',
    ] as const;
    if (methods.every(method => typeof found?.[method] === 'function')) return found as Mover;
  }
  const names = Object.keys(loaded).join(', ') || 'nothing';
  throw new ConfigError(`--config ${file} exports ${names}: it needs a Mover as \`default\` or \`mover\``);
}

/** @throws UsageError */
export function idOf(given: GivenFlags): string {
  const id = given.get('id');
  if (id === undefined) throw new UsageError('--id is needed: --id ID, as `status` names it');
  return id;
}

const requests = [
  'split',
  'merge',
  'drain',
  'add',
  'from',
  'place',
  'isolate',
  'cut',
  'join',
  'tables',
  'rebalance',
];

/** The request with its key as the map has keys: on the command line it is a text. @throws UsageError */
export function withKey(request: MoveRequest, type: KeyType): MoveRequest {
  if (request.kind === 'cut' || request.kind === 'join')
    return { ...request, at: keyIn(String(request.at), type) };
  if (request.kind !== 'place' && request.kind !== 'isolate') return request;
  return { ...request, key: keyIn(String(request.key), type) };
}

export function keyIn(text: string, type: KeyType): ShardKey {
  if (typeof type === 'string') return valueIn(text, type);
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    // Told below
  }
  if (Array.isArray(values) && values.length === type.length)
    return values.map((value, i) => valueIn(String(value), type[i]!));
  throw new UsageError(
    `a key of ${type.join(', ')} must be a JSON list of ${type.length} texts, got ${JSON.stringify(text)}`,
  );
}

function valueIn(text: string, type: KeyColumn): string | bigint {
  if (type !== 'int8') return text;
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text);
  throw new UsageError(`a key of int8 must be an integer, got ${JSON.stringify(text)}`);
}

/** What the flags ask for; a key is still a text. @throws UsageError */
export function requestOf(given: GivenFlags): MoveRequest {
  const kinds = requests.filter(kind => given.has(kind));
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? 'none' : kinds.map(kind => `--${kind}`).join(' and ');
    const all = requests.map(kind => `--${kind}`).join(', ');
    throw new UsageError(`say one of ${all}, got ${found}`);
  }
  const shard = given.get(kinds[0]!)!;
  switch (kinds[0]) {
    case 'split':
      return { kind: 'split', shard, into: needed(given, 'into') };
    case 'merge':
      return { kind: 'merge', shards: listIn(shard), into: one(given) };
    case 'drain':
      return { kind: 'drain', shard, ...zonesIn(given) };
    case 'add':
      return { kind: 'add', shard, ...byIn(given), ...zonesIn(given) };
    case 'from':
      return fromFlag(given, shard);
    case 'place':
      return { kind: 'place', key: shard, to: one(given) };
    case 'isolate':
      return { kind: 'isolate', key: shard, ...(given.has('into') && { to: one(given) }) };
    case 'tables':
      return { kind: 'tables', tables: listIn(shard), to: one(given) };
    case 'join':
      return { kind: 'join', at: shard };
    case 'cut':
      return { kind: 'cut', at: shard, ...(given.has('into') && { to: one(given) }) };
    default:
      return {
        kind: 'rebalance',
        ...(given.has('shards') && { shards: needed(given, 'shards') }),
        ...byIn(given),
        ...zonesIn(given),
      };
  }
}

function byIn(given: GivenFlags): { readonly by?: 'load' | 'size' } {
  const by = given.get('by');
  if (by === undefined) return {};
  if (by === 'load' || by === 'size') return { by };
  throw new UsageError(`--by must be load or size, got ${JSON.stringify(by)}`);
}

function zonesIn(given: GivenFlags): { readonly zones?: Zones } {
  if (!given.has('zones')) return {};
  const pairs = needed(given, 'zones').map(pair => {
    const [, shard, zone] = /^([^=]+)=([^=]+)$/.exec(pair) ?? [];
    if (shard === undefined)
      throw new UsageError(`--zones must be as one=eu,two=us, got ${JSON.stringify(pair)}`);
    return [shard, zone!] as const;
  });
  return { zones: Object.fromEntries(pairs) };
}

function fromFlag(given: GivenFlags, from: string): MoveRequest {
  given.exclusive('slots', 'part');
  const to = one(given);
  if (given.has('slots')) return { kind: 'move', from, to, slices: slicesIn(given.get('slots')!) };
  const part = Number(given.get('part') ?? 1);
  if (!(part > 0 && part <= 1))
    throw new UsageError(`--part must be above 0 and at most 1, got ${JSON.stringify(given.get('part'))}`);
  return { kind: 'move', from, to, part };
}

function slicesIn(text: string): { from: number; to: number }[] {
  return listIn(text).map(each => {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(each) ?? [];
    if (first !== undefined && Number(first) <= Number(last))
      return { from: Number(first), to: Number(last) + 1 };
    throw new UsageError(`--slots must be as 0-127,512, got ${JSON.stringify(each)}`);
  });
}

function one(given: GivenFlags): string {
  const [into, ...others] = needed(given, 'into');
  if (others.length === 0) return into!;
  throw new UsageError(`--into must be one shard here, got ${given.get('into')}`);
}

function needed(given: GivenFlags, flag: string): string[] {
  const text = given.get(flag);
  if (text === undefined) throw new UsageError(`--${flag} is needed here`);
  return listIn(text);
}

export function listIn(text: string): string[] {
  return text.split(',').map(each => each.trim());
}
