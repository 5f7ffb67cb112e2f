// #region conformance
import { storeConformance } from '@ashlar/store/conformance';
import { describe, it } from 'vitest';
import { mapStore } from '../examples/store/backend.ts';

storeConformance(
  { describe, it },
  async () => {
    const store = mapStore();
    return { store, [Symbol.asyncDispose]: () => store.close() };
  },
  { name: 'mapStore' },
);
// #endregion conformance
