import { alignedTable } from '@workspace/program';
import type { Fate, Order } from '../orders/order.ts';
import type { OrderEvent, OrdersReport } from '../orders/order-desk.ts';
import { policyTitles } from '../policies.ts';
import { count, milliseconds } from './format.ts';
import type { ReplayReport } from './report.ts';

const titles: Record<'waited' | 'found' | 'again', string> = {
  waited: '  waited for a primary',
  found: '  answer lost, found to be written',
  again: '  answer lost, not written: written again',
};

/** What became of the orders, and of those that the death of the primary has touched. */
export function ordersSummary(replays: readonly ReplayReport[], width: number): string {
  const row = (name: string, cell: (orders: OrdersReport) => string) => [
    name,
    ...replays.map(({ orders }) => (orders === undefined ? '-' : cell(orders))),
  ];
  const fates = (Object.keys(titles) as (keyof typeof titles)[]).map(fate =>
    row(titles[fate], ({ fates }) => count(fates[fate])),
  );
  return alignedTable(
    [
      ['Orders, in PostgreSQL', ...replays.map(({ policy }) => policyTitles[policy])],
      row('taken', ({ taken }) => count(taken)),
      row('  lost', ({ lost }) => count(lost)),
      ...fates,
      row('of unknown outcome', ({ fates }) => count(fates.unknown)),
      row('  there at the end', ({ unknownButThere }) => count(unknownButThere)),
      row('not executed', ({ fates }) => count(fates.refused)),
      row('longest', ({ longestMs }) => milliseconds(longestMs)),
    ],
    width,
  );
}

/** A line that says what the order desk has seen. */
export function orderLine(event: OrderEvent): string {
  return `${(event.atMs / 1000).toFixed(1).padStart(5)} s  ${told(event)}`;
}

function told(event: OrderEvent): string {
  switch (event.type) {
    case 'killed':
      return `${event.server}, the primary of the orders, is killed with SIGKILL`;
    case 'promoted': {
      const longest = milliseconds(Math.max(0, ...event.waited.map(({ tookMs }) => tookMs)));
      const { length } = event.waited;
      const orders = length === 1 ? '1 order has' : `${count(length)} orders have`;
      const waited = `${orders} waited for it, up to ${longest}, and ${length === 1 ? 'is' : 'are'} taken`;
      return `${event.server} is the primary of the orders now: ${waited}`;
    }
    case 'order':
      return `order ${count(event.order.number)} ${meaning(event.order)}`;
  }
}

function meaning({ fate, tookMs }: Order): string {
  const took = milliseconds(tookMs);
  const meanings: Record<Fate, string> = {
    taken: `is taken after ${took}`,
    waited: `is taken after ${took}, by the next primary`,
    found: `is taken after ${took}: the answer to its commit was lost, and the next primary has it`,
    again: `is taken after ${took}: the answer to its commit was lost, and it is written again, as the next primary did not have it`,
    unknown: `may be taken or not: nobody could find out within ${took}`,
    refused: `is not taken, after ${took}: nothing was executed`,
  };
  return meanings[fate];
}
