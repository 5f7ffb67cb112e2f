import { describe, expect, it, vi } from 'vitest';
import type { Plan } from '../fuzz/plan.ts';
import { type FuzzOptions, fuzz } from '../fuzz/run.ts';
import type { Connection, MemoryClient } from '../src/index.ts';
import { connections, sightings } from './memory/changed-server.ts';

type Wrap = NonNullable<FuzzOptions['wrap']>;

/** Cases are played as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 120_000 });

describe('fuzzing replica sets', () => {
  it('finds nothing', async () => {
    const { cases, findings, uncaught } = await fuzz({ seed: 1, runs: 150, withinMs: 8_000 });
    expect(findings).toEqual([]);
    expect(uncaught).toEqual([]);
    expect(cases['memory']).toBeGreaterThan(0);
  });

  const faults: Record<string, { wrap: Wrap; complaint: RegExp }> = {
    'a position from before the commit': {
      wrap: connections(connection => ({
        async commit(wantsPosition) {
          const position = await connection.commit(wantsPosition);
          return position && { ...position, offset: position.offset - 1n };
        },
      })),
      complaint: /read (session|monotonic|default): it misses .* acknowledged before/,
    },
    'a replica that says it has what it has not': {
      wrap: sightings(({ role, position }) =>
        role === 'replica' ? { position: { ...position, offset: position.offset + 10n } } : {},
      ),
      complaint: /it misses/,
    },
    'a lost answer that counts as nothing sent': {
      wrap: connections((connection: Connection<MemoryClient>) => ({
        get progress() {
          return { ...connection.progress, executed: 0, inDoubt: false };
        },
      })),
      complaint: /told not executed|last write/,
    },
    'a rollback that commits': {
      wrap: connections(connection => ({
        async rollback() {
          await connection.commit(false);
        },
      })),
      complaint: /told not executed/,
    },
  };
  for (const [name, { wrap, complaint }] of Object.entries(faults)) {
    it(`finds ${name}`, async () => {
      const planted = { seed: 1, runs: 2_000, withinMs: 60_000, first: true, shrinkMs: 0 };
      const { findings } = await fuzz({ ...planted, wrap });
      expect(findings.flatMap(({ complaints }) => complaints).join('\n')).toMatch(complaint);
    });
  }

  it('finds a strong read that proves nothing, on a process that stood still', async () => {
    const plan: Plan = {
      authority: 'roles',
      processes: 2,
      lagMs: 0,
      steps: [
        { step: 'pause', process: 0 },
        { step: 'wait', ms: 300 },
        { step: 'promote', server: 'b' },
        { step: 'wait', ms: 1_500 },
        { step: 'write', process: 1, session: 0, timeoutMs: 5_000 },
        { step: 'wait', ms: 300 },
        { step: 'read', process: 0, session: 0, level: 'strong' },
      ],
    };
    const once = { seed: 1, runs: 1, withinMs: 60_000, shrinkMs: 0, plan };
    expect((await fuzz(once)).findings).toEqual([]);
    const { findings } = await fuzz({ ...once, wrap: connections(() => ({ async barrier() {} })) });
    expect(findings.flatMap(({ complaints }) => complaints).join('\n')).toMatch(/read strong: it misses/);
  });
});
