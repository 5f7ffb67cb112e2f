import { type Address, queueAt } from './kinds.ts';

export interface ProducerSettings {
  readonly address: Address;
  readonly from: number;
}
/** Which messages a producer is about to publish, and which were confirmed. */
export interface ProducerMessage {
  readonly kind: 'trying' | 'confirmed';
  readonly from: number;
  readonly count: number;
}

const { address, from } = JSON.parse(process.argv[2]!) as ProducerSettings;
const queue = queueAt(address);
const count = 20;
for (let next = from; ; next += count) {
  process.send!({ kind: 'trying', from: next, count } satisfies ProducerMessage);
  const payloads = Array.from({ length: count }, (_, index) => ({ n: next + index }));
  const published = await queue.publishMany('work', payloads);
  if (published.some(({ ok }) => !ok)) throw new Error('a healthy server refused a message');
  process.send!({ kind: 'confirmed', from: next, count } satisfies ProducerMessage);
}
