import type { Position, Scope, Session } from '@ashlar/replica-failover/executor';
import type { SeenPosition } from '../map/moving.ts';

/** A shard, of which nothing is asked but what it has. */
export interface Positioned {
  write(work: () => Promise<void>, scope?: Scope): Promise<void>;
}

/** What the primary of a shard has now, as a session that wrote there would hold it. Empty where the shard knows no positions. */
export async function positionsOf(shard: Positioned, signal: AbortSignal): Promise<SeenPosition[]> {
  const positions = new Map<string, Position>();
  const recorder = {
    serialize: () => '',
    position: (resource: string) => positions.get(resource),
    advance: (resource: string, position: Position) => void positions.set(resource, position),
    forget() {},
  };
  await shard.write(async () => {}, { session: recorder as unknown as Session, signal });
  return [...positions].map(([resource, { term, offset }]) => ({ resource, term, offset: String(offset) }));
}

/** The session as if it had also seen these positions; what it sees from now on is the session's own. */
export function havingSeen(session: Session, seen: readonly SeenPosition[]): Session {
  const least = new Map<string, Position>(
    seen.map(({ resource, term, offset }) => [resource, { term, offset: BigInt(offset) }]),
  );
  const view = {
    serialize: () => session.serialize(),
    position(resource: string) {
      const own = session.position(resource);
      const floor = least.get(resource);
      if (own === 'unknown' || floor === undefined) return own;
      return own === undefined || isLater(floor, own) ? floor : own;
    },
    advance: (resource: string, position: Position) => session.advance(resource, position),
    forget: (resource: string) => session.forget(resource),
  };
  return view as unknown as Session;
}

function isLater(a: Position, b: Position): boolean {
  return a.term > b.term || (a.term === b.term && a.offset > b.offset);
}
