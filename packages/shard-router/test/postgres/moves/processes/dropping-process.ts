import { PostgresMoves } from '../../../../src/adapters/postgres/moves/postgres-moves.ts';
import { type Death, dyingClient } from '../../../support/dying-client.ts';
import { context, lowerHalf } from '../../shards.ts';

/** What a coordinator is told that dies while it ends a move. */
export interface Settings {
  /** Of the databases. */
  readonly urls: Readonly<Record<string, string>>;
  readonly replication: Readonly<Record<string, string>>;
  readonly move: string;
  readonly ends: 'abort' | 'finish';
  readonly dies: Death;
}

const { urls, replication, move, ends, dies }: Settings = JSON.parse(process.argv[2]!);
const client = dyingClient(dies);
const moves = new PostgresMoves(
  Object.fromEntries(
    Object.entries(urls).map(([name, url]) => [
      name,
      { client: () => client(url), replication: replication[name]! },
    ]),
  ),
  { share: 1 },
);
await moves[ends](lowerHalf(move), context(2n));
