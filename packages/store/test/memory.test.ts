import { ManualClock } from '@ashlar/core/testing';
import { describe, it } from 'vitest';
import { storeConformance } from '../src/conformance.ts';
import { memoryStore } from '../src/index.ts';

storeConformance(
  { describe, it },
  async () => {
    const clock = new ManualClock();
    const store = memoryStore({ clock });
    return { store, pass: ms => clock.advance(ms), [Symbol.asyncDispose]: () => store.close() };
  },
  { name: 'memoryStore' },
);

storeConformance(
  { describe, it },
  async () => {
    const owner = memoryStore();
    const others = [owner.connect(), owner.connect()].map(port => memoryStore({ port }));
    return {
      store: others[0]!,
      other: async () => memoryStore({ port: owner.connect() }),
      [Symbol.asyncDispose]: () => owner.close(),
    };
  },
  { name: 'memoryStore through a port', features: { others: true } },
);
