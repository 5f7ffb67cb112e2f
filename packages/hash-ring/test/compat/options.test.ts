import { InvalidOptionError } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import {
  envoyMaglev,
  envoyRingHash,
  grpcRingHash,
  haproxyHash,
  ketama,
  nginxHash,
  twemproxyHash,
} from '../../src/compat/index.ts';
import type { Placement } from '../../src/index.ts';

describe('options', () => {
  const nodes = ['a', 'b'];

  it('are refused where they contradict each other', () => {
    const calls: (() => unknown)[] = [
      () =>
        haproxyHash([
          { id: 'a', serverId: 5 },
          { id: 'b', serverId: 5 },
        ]),
      () => ketama(['cache', 'cache:11211']),
      () => ketama([{ id: 'a', weight: 2 }], { weighted: false }),
      () => twemproxyHash(['a'.repeat(80)]),
      () =>
        twemproxyHash([
          { id: 'a', name: 'one' },
          { id: 'b', name: 'one' },
        ]),
      () => envoyRingHash(nodes, { minRingSize: 20, maxRingSize: 10 }),
      () =>
        envoyRingHash([
          { id: 'a', weight: 2 ** 32 - 1 },
          { id: 'b', weight: 1 },
        ]),
      () => grpcRingHash(nodes, { minRingSize: 5000 }),
    ];
    for (const call of calls) expect(call, call.toString()).toThrow(InvalidOptionError);
  });

  it('say that there are too many points rather than run out of memory', () => {
    expect(() => nginxHash([{ id: 'a', weight: 2 ** 31 }])).toThrow(InvalidOptionError);
    expect(() => nginxHash([{ id: 'a', weight: 2 ** 31 }], { consistent: false })).toThrow(
      InvalidOptionError,
    );
    expect(() => twemproxyHash([{ id: 'a', weight: 2 ** 30 }], { distribution: 'modula' })).toThrow(
      InvalidOptionError,
    );
  });

  it('HAProxy: naming the default function turns avalanche off', () => {
    const owners = (placement: Placement) =>
      Array.from({ length: 300 }, (_, i) => placement.get(`k${i}`)).join();
    const five = ['a', 'b', 'c', 'd', 'e'];
    expect(owners(haproxyHash(five, { hash: 'sdbm', avalanche: true }))).toBe(owners(haproxyHash(five)));
    expect(owners(haproxyHash(five, { hash: 'sdbm' }))).not.toBe(owners(haproxyHash(five)));
    expect(owners(haproxyHash(five, { hash: 'sdbm' }))).toBe(owners(haproxyHash(five, { avalanche: false })));
  });
});

describe('thousands of servers', () => {
  const many = Array.from({ length: 5_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}:80`);

  it('are placed', () => {
    for (const make of [
      nginxHash,
      haproxyHash,
      ketama,
      twemproxyHash,
      envoyRingHash,
      grpcRingHash,
      envoyMaglev,
    ]) {
      const placement = make(many);
      expect(placement.size).toBeGreaterThan(4_000);
      expect(new Set([placement.get('k'), ...placement.getN('k', 3), ...many]).size).toBe(5_000);
    }
  });

  it('are refused where they need too many points', () => {
    const tooMany = Array.from({ length: 200_000 }, (_, i) => `s${i}`);
    expect(() => nginxHash(tooMany)).toThrow(InvalidOptionError);
    expect(() => ketama(tooMany)).toThrow(InvalidOptionError);
  });
});
