import type { Slots } from '../keys/slots.ts';
import type { SlotLoad } from './load.ts';

/** Calls a second of each slot, of several routers together. What they say only as a sum is spread over the slots that they do not name. */
export function loadWeights(slots: Slots, loads: readonly SlotLoad[]): number[] {
  const live = slots.inOrder();
  const weights = Array<number>(slots.space.slots).fill(0);
  for (const load of loads) {
    const named = new Set<number>();
    for (const [slot, perSecond] of load.slots) {
      // One that was cut since: nobody knows which part
      const parts = slots.live([slot]).filter(part => part < weights.length);
      for (const part of parts) {
        weights[part]! += perSecond / parts.length;
        named.add(part);
      }
    }
    const others = live.filter(slot => !named.has(slot));
    for (const slot of others) weights[slot]! += load.rest / others.length;
  }
  return weights;
}
