import { expect, it } from 'vitest';
import { replicaSetConformance } from '../../src/conformance.ts';
import { CommitDoubt, type MemoryClient } from '../../src/index.ts';
import { type Change, connections, over, pools, sightings } from './changed-server.ts';
import { memorySubject } from './subject.ts';

/** What a backend could do wrong, and the test that finds it. */
const mutants: readonly (readonly [what: string, caughtBy: string, change: Change])[] = [
  [
    'takes the position within the transaction, before its commit',
    'a session sees its transaction, though replicas have all before it',
    connections(connection => ({
      async commit(wantsPosition) {
        const position = await connection.commit(wantsPosition);
        return position && { ...position, offset: position.offset - 1n };
      },
    })),
  ],
  [
    'keeps connections that are in use when there is a new primary',
    'a connection in use ends when the set learns of another primary',
    pools(() => ({ destroy() {} })),
  ],
  [
    'repeats a write whose answer was lost',
    'a write whose answer is lost is Unknown, and is not repeated',
    connections(connection => ({
      get progress() {
        return { ...connection.progress, executed: 0, inDoubt: false };
      },
    })),
  ],
  [
    'takes a commit whose answer was lost for undone',
    'a commit that the next primary has is told as executed',
    connections(connection => ({
      async commit(wantsPosition) {
        try {
          return await connection.commit(wantsPosition);
        } catch (error) {
          throw new CommitDoubt(error, async () => 'aborted');
        }
      },
    })),
  ],
  [
    'says that a replica has what it has only received',
    'a session reads what it wrote, though every replica is behind',
    sightings(({ role, position }) =>
      role === 'replica' ? { position: { ...position, offset: position.offset + 10n } } : {},
    ),
  ],
  [
    'does not roll back',
    'a transaction leaves nothing when its work rejects, and rejects with the same error',
    connections(connection => ({
      async rollback() {
        await connection.commit(false);
      },
    })),
  ],
  [
    'proves nothing before a strong read answers, on a server that is no primary',
    'strong reads see every acknowledged write',
    server =>
      over(server, {
        async look(signal) {
          const sighting = await server.look(signal);
          const role = server.id === 'b' ? 'primary' : 'replica';
          return { ...sighting, role };
        },
        open(options) {
          const pool = server.open(options);
          return over(pool, {
            acquireIdle: () => undefined,
            async acquire(signal) {
              return over(await pool.acquire(signal), { async barrier() {} });
            },
          });
        },
      }),
  ],
];

it.concurrent.each(mutants)('a backend that %s is caught', async (_what, caughtBy, change) => {
  const tests = new Map<string, () => Promise<void>>();
  const collect = (name: string, body: () => Promise<void> | void) => tests.set(name, async () => body());
  const runner = {
    describe: (_: string, body: () => void) => body(),
    it: Object.assign(collect, { skip() {} }),
  };
  replicaSetConformance<MemoryClient>(runner, () => memorySubject(change), { name: 'a mutant' });
  await expect(tests.get(caughtBy)!()).rejects.toThrow();
});
