import { setTimeout as delay } from 'node:timers/promises';
import { type Case, methodOf } from '../case.ts';
import { Client, patienceMs, probeBytes, type Received, type Reuse } from './client.ts';
import type { Heard, RecordingEndpoint } from './endpoint.ts';
import type { Subject } from './subjects.ts';

/** All that could be seen of one case through one proxy. */
export interface Observation {
  readonly heard: readonly Heard[];
  readonly received: Received;
  readonly reuse: Reuse;
  /** Whether another client was served afterwards, each probe by its own answer. */
  readonly others: Reuse;
  /** Of ours: how many failures were held against the endpoint. */
  readonly blamed: number;
  /** Of ours: whether the balancer still counts a request as in flight long after. */
  readonly stuck: boolean;
}

let probes = 0;

/** Sends the case through the proxy on that lane; the endpoint must be that lane's. */
export async function observe(
  subject: Subject,
  lane: number,
  endpoint: RecordingEndpoint,
  each: Case,
): Promise<Observation> {
  const port = subject.ports[lane]!;
  const failures = () => subject.snapshot(lane)?.endpoints[0]?.failed ?? 0;
  const before = failures();
  endpoint.begin(each.answer);
  const client = new Client(port, each.leaveAt);
  const number = ++probes;
  try {
    void client.send(each, each.pipelined ? probeBytes(number) : '');
    const received = await client.receive(methodOf(each));
    const reuse = received.end === 'whole' ? await again(client, number, each) : 'closed';
    const stuck = !(await settled(subject, lane));
    const others = await innocent(port);
    const blamed = failures() - before;
    const heard = endpoint.heard();
    if (others !== 'served' || /failed|wrong/.test(reuse)) {
      endpoint.reset();
      await delay(30);
    }
    return { heard, received, reuse, others, blamed, stuck };
  } finally {
    await client.close();
  }
}

/** A connection that is about to be closed says so within a moment. */
async function again(client: Client, number: number, each: Case): Promise<Reuse> {
  const closing = each.answer.after !== 'keep' || each.answer.cut !== undefined;
  const moment = () => delay(closing ? 30 : 8);
  if (!each.pipelined) await moment();
  const reuse = await client.probe(number, each.pipelined);
  if (each.pipelined && closing) await moment();
  return reuse;
}

/** What is left over when a client has gone ends by itself. */
async function settled(subject: Subject, lane: number): Promise<boolean> {
  const until = performance.now() + patienceMs;
  while ((subject.snapshot(lane)?.inFlight ?? 0) > 0) {
    if (performance.now() > until) return false;
    await delay(5);
  }
  return true;
}

async function innocent(port: number): Promise<Reuse> {
  const client = new Client(port);
  try {
    return await client.probe(++probes, false);
  } finally {
    await client.close();
  }
}
