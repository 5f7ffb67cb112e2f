import { AshlarError, sleep } from '@ashlar/core';
import type { Shop } from '../clusters/cluster.ts';
import type { Harm } from './harm.ts';
import type { Traffic } from './traffic.ts';

/** A step of the script did not come about. */
class ScriptError extends AshlarError {
  static override readonly code: string = 'FAILOVER_SCRIPT';
}

const limitMs = 60_000;
const lookMs = 20;
const someOrders = 25;

/**
 * Stops a replica for a while, kills the primary, and starts it again.
 *
 * @throws ScriptError, and the signal's reason
 */
export async function performScript(
  { shop, harm, traffic }: { readonly shop: Shop; readonly harm: Harm; readonly traffic: Traffic },
  signal: AbortSignal,
): Promise<void> {
  const until = async (what: string, isSo: () => boolean) => {
    const limitAt = performance.now() + limitMs;
    while (!isSo()) {
      if (performance.now() > limitAt)
        throw new ScriptError(`within ${limitMs} ms it did not come about that ${what}`);
      await sleep(lookMs, signal);
    }
  };
  const server = (id: string) => shop.snapshot().servers.find(each => each.id === id);
  const goesOn = () => {
    const { size } = traffic.acknowledged;
    return until('orders are taken', () => traffic.acknowledged.size >= size + someOrders);
  };
  const seenAs = (id: string, state: 'up' | 'down') =>
    until(`${id} is seen to be ${state}`, () => server(id)?.state === state);

  await goesOn();
  const { primary, servers } = shop.snapshot();
  const replica = servers.find(({ id }) => id !== primary)!.id;
  await harm.stop(replica);
  await seenAs(replica, 'down');
  await goesOn();
  await harm.undo(replica);
  await seenAs(replica, 'up');
  await goesOn();
  await harm.kill(primary!);
  await until('there is another primary', () => shop.snapshot().primary !== primary);
  await goesOn();
  await harm.undo(primary!);
  const stands = () => server(primary!)?.isFenced === true || server(primary!)?.role === 'replica';
  await until('the earlier primary stands aside', stands);
  await goesOn();
}
