import type { RedisShard } from '../../src/adapters/redis.ts';
import { slotOf } from '../moving/owners.ts';
import type { Direct } from '../moving/place.ts';
import { keyOf } from './keys.ts';
import { connected, type Settings } from './roles.ts';

/** Counts only where the customer is. */
const counting = `
if redis.call('HEXISTS', KEYS[1], 'n') == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'direct', 1)
return 1
`;

/** A client of a shard that asks no map, with connections of its own, which are others after a failure. */
export function directWrites(shards: Settings['shards'], name: string, customer: string): Direct {
  let shard: Promise<RedisShard> | undefined;
  const end = async () => {
    const closing = shard;
    shard = undefined;
    await closing?.then(
      ({ servers }) => (servers as unknown as { close(): Promise<void> }).close(),
      () => {},
    );
  };
  return {
    async write() {
      try {
        shard ??= connected(shards).then(all => all[name]!);
        const slots = (await shard).ofSlots([slotOf(customer)]);
        const work = slots.write(db => db.eval(counting, [keyOf(customer)]), { timeoutMs: 3_000 });
        return Number(await work) === 1;
      } catch (error) {
        if ((error as { code?: string }).code !== 'ASHLAR_SHARD_ROUTER_WRONG_SHARD') await end();
        return false;
      }
    },
    end,
  };
}
