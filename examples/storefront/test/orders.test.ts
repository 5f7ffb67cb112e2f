import { OutcomeUnknownError } from '@ashlar/replica-failover';
import { childrenOf, ended, isAlive, written } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { describe, expect, it, vi } from 'vitest';
import { Order } from '../src/orders/order.ts';
import type { OrdersReport } from '../src/orders/order-desk.ts';
import { orderLine, ordersSummary } from '../src/output/orders-summary.ts';
import type { ReplayReport } from '../src/output/report.ts';
import { reportOf, run, start } from './program.ts';

/** Servers start and fail over as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 180_000 });

/** An order that came in term 1; `steps` are the terms in which it was begun and written, by attempt. */
function orderAfter(steps: readonly { readonly written?: number }[], term: number): Order {
  const order = new Order(7, 'a book', 1);
  for (const { written } of steps) {
    order.begins();
    if (written !== undefined) order.isWritten(written);
  }
  order.ends(term);
  return order;
}

describe('the fate of an order', () => {
  it.each([
    ['taken', [{ written: 1 }], 1],
    ['waited', [{ written: 2 }], 2],
    ['waited', [{}, { written: 2 }], 2],
    ['found', [{ written: 1 }], 2],
    ['again', [{ written: 1 }, { written: 2 }], 2],
    ['again', [{ written: 1 }, {}, { written: 2 }], 2],
    ['found', [{ written: 1 }, { written: 2 }], 3],
  ] as const)('is %s after %j when it ends in term %i', (fate, steps, term) => {
    expect(orderAfter(steps, term)).toMatchObject({ fate, isTaken: true });
  });

  it('is unknown or refused when the set says so', () => {
    const order = new Order(7, 'a book', 1);
    order.begins();
    order.isWritten(1);
    order.fails(new OutcomeUnknownError('the answer to the commit was lost'));
    expect(order).toMatchObject({ fate: 'unknown', isTaken: false });
    order.fails(Object.assign(new Error('no primary'), { outcome: 'NotExecuted' }));
    expect(order).toMatchObject({ fate: 'refused', isTaken: false });
  });
});

describe('what is told of orders', () => {
  const orders: OrdersReport = {
    taken: 120,
    lost: 0,
    fates: { taken: 100, waited: 17, found: 2, again: 1, unknown: 3, refused: 4 },
    unknownButThere: 1,
    longestMs: 640,
  };

  it('is a table, beside a replay without them', () => {
    const replays = [{ policy: 'peak-ewma', orders }, { policy: 'random' }] as unknown as ReplayReport[];
    const figures = ordersSummary(replays, 80).match(/\S+ *(?=- *$|random)/gm);
    expect(figures?.map(figure => figure.trim())).toEqual([
      'EWMA',
      '120',
      '0',
      '17',
      '2',
      '1',
      '3',
      '1',
      '4',
      'ms',
    ]);
  });

  it('is a line for what must be known', () => {
    const order = orderAfter([{ written: 1 }], 2);
    expect(orderLine({ type: 'order', order, atMs: 1_500 })).toMatch(
      /^ {2}1\.5 s {2}order 7 is taken after [\d.]+ ms: the answer to its commit was lost, and the next primary has it$/,
    );
    const waited = [orderAfter([{ written: 2 }], 2)];
    expect(orderLine({ type: 'promoted', server: 'standby1', waited, atMs: 0 })).toMatch(
      /standby1 is the primary of the orders now: 1 order has waited for it, up to [\d.]+ ms, and is taken$/,
    );
  });
});

describeWith({ own: 'postgres' }, 'orders in PostgreSQL', () => {
  it('survive the death of their primary, and no visitor sees it', async () => {
    const report = await reportOf([
      ...['--postgres', '--policy', 'peak-ewma', '--requests', '2000', '--rate', '200', '--replicas', '2'],
    ]);
    const [{ errors, orders }] = report.replays as [ReplayReport];
    expect({ errors, lost: orders?.lost }).toEqual({ errors: 0, lost: 0 });
    const { taken, fates } = orders!;
    expect(taken + fates.unknown + fates.refused).toBe(100);
    expect(taken).toBe(fates.taken + fates.waited + fates.found + fates.again);
    // By the rule of the row of outcomes, nothing stays unknown while there is a primary within 10 s
    expect(fates.unknown).toBe(0);
  });
});

describe('without orders', () => {
  it('nothing is said of them', async () => {
    const { code, stdout } = await run(['--requests', '100', '--policy', 'random', '--replicas', '2']);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/order/i);
  });
});

describeWith({ own: 'postgres' }, 'Ctrl-C while orders are taken', () => {
  it('leaves no server behind', async () => {
    const child = start([
      '--postgres',
      '--policy',
      'random',
      '--replicas',
      '2',
      '--requests',
      '2000',
      '--rate',
      '100',
    ]);
    await written(child, /is killed with SIGKILL/);
    const servers = childrenOf(child.pid!);
    expect(servers.length).toBeGreaterThan(5);
    child.kill('SIGINT');
    expect((await ended(child)).code).toBe(130);
    await expect.poll(() => servers.filter(isAlive), { timeout: 60_000 }).toEqual([]);
  });
});
