import { type Entry, VersionConflictError } from '../../src/index.ts';
import { type Done, idOf } from '../play/history.ts';
import { mayHaveHappened } from './failures.ts';
import { type Event, isExplained } from './order.ts';

/** Clocks of this process and of a server, and their grains. */
export const toleranceMs = 25;

/** The value of a key, by the text that stands for it, and the times between which it ends. */
interface Value {
  readonly id: string | undefined;
  readonly earliest: number;
  readonly latest: number;
}

const absent: Value = { id: undefined, earliest: Infinity, latest: Infinity };

/** What contradicts the promises about values. */
export function aboutValues(history: readonly Done[]): string[] {
  const versions = new Versions(history);
  const complaints = [...versions.complaints, ...aboutLists(history)];
  for (const key of keysOf(history)) {
    const events = history.flatMap(done => eventsOf(done, key, versions));
    if (isExplained(events, absent, ({ id, earliest, latest }) => `${id} ${earliest} ${latest}`)) continue;
    complaints.push(`values: no order explains what happened to key ${JSON.stringify(key.slice(0, 20))}
${told(events)}`);
  }
  return complaints;
}

export function told(events: readonly Event<never>[] | readonly Event<unknown>[]): string {
  return events
    .map(({ told, from, to, isOptional }) => {
      const end = Number.isFinite(to) ? to.toFixed(1) : 'no answer';
      return `    ${from.toFixed(1)} to ${end}: ${told}${isOptional ? ', or not' : ''}`;
    })
    .join('\n');
}

/** Which value each version was seen with. */
class Versions {
  readonly complaints: string[] = [];
  readonly #ids = new Map<string, string>();

  constructor(history: readonly Done[]) {
    for (const { result, sent } of history) {
      if ('version' in result) this.#note(result.version, [...sent.values!.values()][0]!);
      for (const entry of entriesOf(result)) this.#note(entry.version, idOf(entry));
    }
    const known = [...this.#ids.values()];
    if (new Set(known).size < known.length) this.complaints.push('values: one write had two versions');
  }

  of(version: string): string | undefined {
    return this.#ids.get(version);
  }

  /** Whether it is that of the value, or may be. */
  fits(version: string, id: string | undefined): boolean {
    if (version === 'absent' || id === undefined) return version === 'absent' && id === undefined;
    const known = this.#ids.get(version);
    return known === undefined ? ![...this.#ids.values()].includes(id) : known === id;
  }

  #note(version: string, id: string): void {
    const before = this.#ids.get(version);
    if (before !== undefined && before !== id) this.complaints.push('values: two writes had one version');
    this.#ids.set(version, id);
  }
}

function keysOf(history: readonly Done[]): Set<string> {
  const keys = new Set<string>();
  for (const { call, sent, result } of history) {
    if ('key' in call) keys.add(call.key);
    for (const key of sent.values?.keys() ?? []) keys.add(key);
    for (const { key } of entriesOf(result)) keys.add(key);
  }
  return keys;
}

function entriesOf(result: Done['result']): readonly Entry[] {
  if ('listed' in result) return result.listed;
  return 'entries' in result ? result.entries.filter(entry => entry !== undefined) : [];
}

function eventsOf(done: Done, key: string, versions: Versions): Event<Value>[] {
  const { call, sent, sentAt: from, endedAt: to, result } = done;
  const isOptional = 'error' in result || 'unsettled' in result;
  if (isOptional && !isConflict(result) && !mayHaveHappened(done)) return [];
  const event = (told: string, after: Event<Value>['after']): Event<Value>[] => {
    const optional = isOptional && !isConflict(result);
    return [{ told, from, to: optional ? Infinity : to, isOptional: optional, after }];
  };
  const isLive = ({ id, latest }: Value) => id !== undefined && from <= latest;
  const mayBeGone = ({ id, earliest }: Value) => id === undefined || to >= earliest || isOptional;
  const read = (entry: Entry | undefined) => {
    const id = entry && idOf(entry);
    return event(`${call.op} found ${id}`, state => {
      if (id === undefined) return mayBeGone(state) ? [absent] : [];
      return state.id === id && isLive(state) ? [state] : [];
    });
  };
  switch (call.op) {
    case 'get':
      return call.key === key && 'entries' in result ? read(result.entries[0]) : [];
    case 'getMany':
      if (!('entries' in result)) return [];
      return call.keys.flatMap((each, index) => (each === key ? read(result.entries[index]) : []));
    case 'list':
      if (!('listed' in result) || !key.startsWith(call.prefix)) return [];
      return read(result.listed.find(entry => entry.key === key));
    case 'set':
    case 'setMany': {
      const id = sent.values!.get(key);
      if (id === undefined) return [];
      const written: Value =
        call.ttlMs === undefined
          ? { ...absent, id }
          : {
              id,
              earliest: from + call.ttlMs - toleranceMs,
              latest: (isOptional ? Infinity : to) + Math.ceil(call.ttlMs) + toleranceMs,
            };
      const { ifVersion } = sent;
      if (isConflict(result)) {
        const { found } = result.error;
        return event(`set ${id} found ${found}, wanted ${ifVersion}`, state => {
          if (found === 'absent') return mayBeGone(state) ? [absent] : [];
          return isLive(state) && versions.fits(found, state.id) ? [state] : [];
        });
      }
      return event(`${call.op} wrote ${id}${ifVersion ? ` over ${ifVersion}` : ''}`, state => {
        if (ifVersion === undefined) return [written];
        if (ifVersion === 'absent') return mayBeGone(state) ? [written] : [];
        return isLive(state) && versions.of(ifVersion) === state.id ? [written] : [];
      });
    }
    case 'delete': {
      if (call.key !== key) return [];
      const { ifVersion } = sent;
      const fits = (state: Value) =>
        isLive(state) && (ifVersion === undefined || versions.of(ifVersion) === state.id);
      if (isOptional) return event('delete', state => (fits(state) ? [absent] : []));
      const did = 'did' in result && result.did;
      return event(`delete ${did ? 'did' : 'found nothing'}${ifVersion ? ` of ${ifVersion}` : ''}`, state => {
        if (did) return fits(state) ? [absent] : [];
        if (mayBeGone(state)) return [absent, ...(state.id !== undefined && !fits(state) ? [state] : [])];
        return fits(state) ? [] : [state];
      });
    }
    default:
      return [];
  }
}

function isConflict(result: Done['result']): result is { readonly error: VersionConflictError } {
  return 'error' in result && result.error instanceof VersionConflictError;
}

/** Lists are in the order of the bytes, name nothing twice, and nothing that was not asked for. */
function aboutLists(history: readonly Done[]): string[] {
  const complaints: string[] = [];
  for (const { call, result } of history) {
    if (call.op !== 'list' || !('listed' in result)) continue;
    const keys = result.listed.map(({ key }) => Buffer.from(key));
    if (keys.some((key, index) => index > 0 && Buffer.compare(keys[index - 1]!, key) >= 0)) {
      complaints.push('values: a list is not in order, or names a key twice');
    }
    if (!result.listed.every(({ key }) => key.startsWith(call.prefix))) {
      complaints.push('values: a list has a key that does not begin with its prefix');
    }
  }
  return complaints;
}
