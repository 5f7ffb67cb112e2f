import type { Endpoint } from '../endpoint.ts';
import { sameEndpoint, weightOf } from '../endpoint.ts';
import type { Member } from './member.ts';

/** Ids of the endpoints in which a set differs from the members there are. */
export interface Changes {
  readonly joined: readonly string[];
  readonly left: readonly string[];
  readonly changed: readonly string[];
}

/** `undefined` when there are none. */
export function changesOf<E extends Endpoint>(
  members: ReadonlyMap<string, Member<E>>,
  endpoints: readonly E[],
): Changes | undefined {
  const ids = new Set(endpoints.map(({ id }) => id));
  const left = [...members.keys()].filter(id => !ids.has(id));
  const joined = [...ids].filter(id => !members.has(id));
  const changed = endpoints.filter(endpoint => differs(members.get(endpoint.id), endpoint));
  if (left.length + joined.length + changed.length === 0) return undefined;
  return { joined, left, changed: changed.map(({ id }) => id) };
}

function differs<E extends Endpoint>(member: Member<E> | undefined, endpoint: E): boolean {
  if (member === undefined) return false;
  return !sameEndpoint(member.endpoint, endpoint) || member.fullWeight !== weightOf(endpoint);
}
