import { slotOf } from '../moving/owners.ts';

/** A key in the slot of a customer; by default that of the customer's hash. */
export function keyOf(name: string, customer: string = name): string {
  return `{shards:${slotOf(customer)}}:${name}`;
}
