import * as scripts from './scripts.ts';
import { type Key, parts, type Side, tooBig } from './side.ts';

/** Bytes of values that one script reads. */
const bytesAtOnce = 1_000_000;
/** Written keys that one round brings over. */
const round = 200;

export interface Sides {
  readonly source: Side;
  readonly target: Side;
  readonly maxValueBytes: number;
}

/** Brings keys over as they are now: gone where they are gone. */
export async function bring({ source, target, maxValueBytes }: Sides, keys: readonly Key[]): Promise<void> {
  for (const part of parts(keys)) {
    await source.assertSmall(part, maxValueBytes);
    for (let start = 0; start < part.length; ) {
      const rest = part.slice(start);
      const found = (await source.run(scripts.read, bytesAtOnce, ...rest)) as (Buffer | null)[];
      const count = found.length / 2;
      const values = rest.slice(0, count).flatMap((key, i) => [key, found[2 * i]!, found[2 * i + 1] ?? '']);
      await target.run(scripts.write, '', ...values);
      start += count;
    }
  }
}

/**
 * Brings over all that was written before some moment of this call, or as much as it can for `forMs`. Answers how long ago that moment
 * is, in milliseconds, and how many keys are noted. A key is noted until its value has arrived, so a worker that dies loses none.
 */
export async function follow(
  sides: Sides,
  forMs: number,
): Promise<{ readonly lagMs: number; readonly left: number }> {
  const { source, target } = sides;
  const startedAt = performance.now();
  let isAll = false;
  let since = startedAt;
  let arrived: Buffer[] = [];
  for (;;) {
    const askedAt = performance.now();
    const isLate = askedAt - startedAt > forMs;
    const [left, ...found] = (await source.run(
      scripts.written,
      source.dirty,
      // Writers that never pause leave something in each round
      isAll || isLate ? 0 : round,
      bytesAtOnce,
      ...arrived,
    )) as [Buffer, ...(Buffer | null)[]];
    if (isAll || isLate) return { lagMs: performance.now() - since, left: Number(left) };
    const changes = Array.from({ length: found.length / 4 }, (_, i) => found.slice(4 * i, 4 * i + 4));
    const values = changes.flatMap(([key, , expiresAt, dump]) => [key!, expiresAt!, dump ?? '']);
    assertSmall(sides, changes);
    if (values.length > 0) await target.run(scripts.write, target.touched, ...values);
    arrived = changes.flatMap(([key, count]) => [key!, count!]);
    isAll = changes.length === Number(left);
    if (isAll) since = askedAt;
  }
}

function assertSmall({ source, maxValueBytes }: Sides, changes: readonly (Buffer | null)[][]): void {
  const big = changes.find(([, , , dump]) => dump != null && dump.length > maxValueBytes);
  if (big !== undefined) throw tooBig(source.move.id, String(big[0]), big[3]!.length);
}
