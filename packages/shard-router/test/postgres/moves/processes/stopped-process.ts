import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { postgresMoves } from '../../../../src/adapters/postgres.ts';
import { Mover } from '../../../../src/moves/mover.ts';
import { altered } from '../../../support/altered.ts';
import { tables } from '../../tables.ts';

/** What a coordinator is told that stands still in the step between the fence and the change of the map. */
export interface Settings {
  /** Of the databases. */
  readonly urls: Readonly<Record<string, string>>;
  readonly replication: Readonly<Record<string, string>>;
  readonly store: string;
  readonly move: string;
  readonly leaseMs: number;
  /** Before it does anything there, or when only the change of the map is left. */
  readonly stops: 'before' | 'after';
}

const { urls, replication, store, move, leaseMs, stops }: Settings = JSON.parse(process.argv[2]!);
const pool = new pg.Pool({ connectionString: store });
pool.on('error', () => {});
const moves = postgresMoves({
  shards: Object.fromEntries(
    Object.entries(urls).map(([name, url]) => [
      name,
      { client: () => new pg.Client(url), replication: replication[name]! },
    ]),
  ),
});
const stopped = () => process.kill(process.pid, 'SIGSTOP');
const mover = new Mover({
  backend: altered(moves, {
    turn: async (...args) => {
      if (stops === 'before') stopped();
      await moves.turn(...args);
      if (stops === 'after') stopped();
    },
  }),
  store: postgresStore({ pool }),
  tables,
  steadyMs: 0,
  pauseMs: 60_000,
  leaseMs,
});
const told = await mover.run(move).done.then(
  () => 'committed',
  (error: { readonly code?: string }) => `${error.code}`,
);
process.send!(told);
