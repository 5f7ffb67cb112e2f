import { setTimeout as sleep } from 'node:timers/promises';
import type { Backends, Mode } from './backends.ts';
import type { Subject, SubjectFactory } from './subjects.ts';

export interface Plan {
  readonly fault: Mode;
  readonly perSecond: number;
  readonly requests: number;
  readonly warmUpMs: number;
}

export interface Figures {
  readonly failed: number;
  /** In ascending order, of all requests. */
  readonly latencies: Float64Array;
}

/**
 * Servers, one of which becomes slow or fails once the subject has run for a while. The subject is asked at fixed
 * times whether it answers or not (open loop), so that waiting shows in the latencies.
 */
export async function experiment(
  plan: Plan,
  subjects: Readonly<Record<string, SubjectFactory>>,
  backends: Backends,
): Promise<Record<string, Figures>> {
  const all = Object.entries(subjects).map(([name, make]) => ({ name, subject: make(backends) }));
  try {
    // A pool opens connections when it needs them: all at once, so that it has some to every server
    await Promise.all(
      all.map(({ subject }) => Promise.all(Array.from({ length: 128 }, () => subject.request('')))),
    );
    const warmUps = (plan.warmUpMs * plan.perSecond) / 1_000;
    await Promise.all(all.map(({ subject }) => ask(subject, warmUps, plan.perSecond)));
    await backends.degrade(plan.fault);
    const figures = await Promise.all(
      all.map(
        async ({ name, subject }) => [name, await ask(subject, plan.requests, plan.perSecond)] as const,
      ),
    );
    return Object.fromEntries(figures);
  } finally {
    await backends.degrade('well');
    await Promise.all(all.map(({ subject }) => subject.close()));
  }
}

async function ask(subject: Subject, requests: number, perSecond: number): Promise<Figures> {
  const latencies = new Float64Array(requests);
  let failed = 0;
  const underWay: Promise<void>[] = [];
  const began = performance.now();
  for (let i = 0; i < requests; i++) {
    const due = began + (i * 1_000) / perSecond;
    if (due > performance.now()) await sleep(due - performance.now());
    const startedAt = performance.now();
    const settled = (ok: boolean) => {
      latencies[i] = performance.now() - startedAt;
      if (!ok) failed++;
    };
    const asked = subject.request(`user:${(i * 7_919) % 1_009}`);
    underWay.push(
      asked.then(
        status => settled(status < 500),
        () => settled(false),
      ),
    );
  }
  await Promise.all(underWay);
  return { failed, latencies: latencies.sort() };
}
