import { MoveRefusedError } from '../../errors/moves.ts';
import type { ShardKey } from '../../keys/key-column.ts';
import { Slots } from '../../keys/slots.ts';
import { ownersOf, type ShardMap } from '../../map/shard-map.ts';
import type { MoverSettings } from '../mover-options.ts';
import { alone, contextOf, specAt } from './entries.ts';
import { assertForgets, refuseBusy } from './forgetting.ts';
import { Impossible } from './impossible.ts';

const refused = 'rows of the key cannot be purged';

/**
 * Deletes the rows of a key at a shard that has lost it, where `forget` has left them. The shard itself sees that it still refuses them: so
 * nothing is deleted that has come back meanwhile. Returns how many.
 *
 * @throws Impossible, MoveRefusedError, LeaseLostError, the error of the store or of the shard
 */
export function purge(
  settings: MoverSettings,
  read: () => Promise<ShardMap>,
  key: ShardKey,
  shard: string,
  stop: AbortSignal,
): Promise<number> {
  return alone(settings, stop, async (signal, token) => {
    const map = await read();
    assertForgets(map);
    const slots = new Slots(map.key, map.slots, map);
    const slot = slots.find(key);
    // It had no rows when its number became free
    if (slot === undefined) return 0;
    refuseBusy(map, slot, refused);
    if (!slots.isRetired(slot) && ownersOf(map)[slot] === shard) {
      const words = `the map gives it to ${shard}: delete them there as other rows`;
      throw new MoveRefusedError(refused, [{ kind: 'owner', shard, words }]);
    }
    const { backend } = settings;
    if (backend.purge === undefined) throw new Impossible('shards of this kind forget no keys');
    return backend.purge(specAt(settings, map, shard, slot), contextOf(signal, token));
  });
}
