import type pg from 'pg';
import { expectTypeOf, it } from 'vitest';
import type { PgClientLike } from '../src/adapters/postgres.ts';

/** As the types of `pg` have it before 8.11.15 and 8.16. */
interface OlderClient extends Omit<pg.Client, 'on' | 'connection'> {
  on(event: 'error', listener: (error: Error) => void): this;
  on(event: 'notice', listener: (notice: unknown) => void): this;
  on(event: 'end', listener: () => void): this;
}

it('takes clients of `pg`, also as its older types describe them', () => {
  expectTypeOf<pg.Client>().toExtend<PgClientLike>();
  expectTypeOf<OlderClient>().toExtend<PgClientLike>();
});
