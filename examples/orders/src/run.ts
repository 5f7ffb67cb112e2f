import { randomUUID } from 'node:crypto';
import { sleep } from '@ashlar/core';
import { type Capabilities, type Driver, Queue } from '@ashlar/queue';
import type { Screen } from '@workspace/program';
import { openShop } from './backends/open.ts';
import { Billing } from './billing/billing.ts';
import type { Options } from './cli/options.ts';
import { orderMessages } from './messages.ts';
import type { Report } from './output/report.ts';
import { listening } from './shop/listening.ts';
import { Outbox } from './shop/outbox.ts';
import { Payments } from './shop/payments.ts';
import { PostgresOutbox } from './shop/postgres-outbox.ts';
import { type Orders, shop } from './shop/shop.ts';

/** Of the payment service, so that some die while they wait for it. */
const answerMs = 20;
const liveMs = 100;
const linesMs = 2_000;
/** After the last order, until all must be charged. */
const patienceMs = 60_000;

export interface Surroundings {
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

/** Places the orders, kills the worker meanwhile, and waits until all are charged. Rejects with the signal's reason. */
export async function run(options: Options, { screen, signal }: Surroundings): Promise<Report> {
  const { driver, url, orders, perSecond, killEveryMs } = options;
  const startedAt = performance.now();
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const run = randomUUID().slice(0, 8);
  await using backend = await openShop(driver, url ?? '', run);
  const payments = new Payments(answerMs);
  await using bank = await listening(payments.app);
  await using outbox = await openOutbox(backend.driver, options.outboxUrl, run);
  await using server = await listening(shop(outbox, id => payments.charges.has(id)));

  const seconds = () => (performance.now() - startedAt) / 1_000;
  const say = (text: string) => screen.print(`${seconds().toFixed(1).padStart(6)} s  ${text}`);
  const died = (killed: number) =>
    say(screen.paint('red', `the worker is killed, for the ${nth(killed)} time`));
  await using billing = new Billing(backend, bank.url, died, error => stop.abort(error));
  await billing.ready;
  const where = options.outboxUrl === undefined ? '' : ', committed with their events in PostgreSQL';
  say(`${driver}: ${orders} orders${where}, ${perSecond} a second, to ${server.url}`);

  const line = () => {
    const { size } = payments.charges;
    return `orders ${outbox.orders.size} of ${orders}   charged ${size}   killed ${billing.killed}`;
  };
  using _live = changing(
    screen,
    () => `${seconds().toFixed(1).padStart(6)} s  ${line()}`,
    () => say(line()),
  );

  const placed = new AbortController();
  const killing = killAgain(billing, payments, killEveryMs, AbortSignal.any([until, placed.signal]));
  killing.catch(error => stop.abort(error));
  try {
    await place(server.url, options, until);
  } finally {
    placed.abort();
    await killing.catch(() => {});
  }
  const patience = performance.now() + patienceMs;
  // What died comes again when its lease is over, and must not be charged again
  const isDone = async () => payments.charges.size >= outbox.orders.size && (await outbox.left()) === 0;
  while (performance.now() < patience && !(await isDone())) await sleep(20, until);

  const charged = payments.charges.size;
  const lost = [...outbox.orders.keys()].filter(id => !payments.charges.has(id)).length;
  const { repeated, doubled } = payments;
  const ok = lost === 0 && doubled === 0 && outbox.orders.size === orders;
  const { killed } = billing;
  return {
    driver,
    run,
    orders: outbox.orders.size,
    killed,
    charged,
    repeated,
    doubled,
    lost,
    seconds: seconds(),
    ok,
  };
}

interface OpenOutbox extends Orders, AsyncDisposable {
  /** Messages that are not settled. */
  left(): Promise<number>;
}

/** Orders and their events, and the queue that has them. */
async function openOutbox(
  driver: Driver<Capabilities>,
  url: string | undefined,
  run: string,
): Promise<OpenOutbox> {
  const options = { messages: orderMessages, name: 'shop' };
  const postgres = url === undefined ? undefined : new PostgresOutbox(url, driver, run);
  const queue = new Queue(postgres?.driver ?? driver, options);
  const memory = postgres === undefined ? new Outbox(queue) : undefined;
  const outbox = postgres ?? memory!;
  const close = async () => {
    await memory?.[Symbol.asyncDispose]();
    await queue.close();
    await postgres?.[Symbol.asyncDispose]();
  };
  try {
    await queue.declare('order.placed', 'billing');
    await postgres?.open(queue as never);
  } catch (error) {
    await close();
    throw error;
  }
  const left = async () => {
    if (driver.stats === undefined) return 0; // It does not say
    const { waiting, delayed = 0, active = 0 } = await queue.stats('order.placed', 'billing');
    return waiting + delayed + active;
  };
  return { orders: outbox.orders, take: order => outbox.take(order), left, [Symbol.asyncDispose]: close };
}

async function place(url: string, { orders, perSecond }: Options, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for (let n = 0; n < orders; n++) {
    const waitMs = (n * 1_000) / perSecond - (performance.now() - startedAt);
    if (waitMs > 0) await sleep(waitMs, signal);
    const order = { id: `order-${n + 1}`, customer: `customer-${n % 20}`, cents: 1_000 + n };
    const response = await fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
      signal,
    });
    if (response.status !== 202) throw new Error(`the shop answered ${response.status}`);
    await response.arrayBuffer();
  }
}

/** Kills the worker where it hurts most: when it has charged and does not know it yet. */
async function killAgain(
  billing: Billing,
  payments: Payments,
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(everyMs, signal).catch(() => {});
    const charged = new Promise<void>(resolve => {
      payments.onCharge = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await charged;
    payments.onCharge = () => {};
    if (!signal.aborted) await billing.kill();
  }
}

function changing(screen: Screen, line: () => string, print: () => void): Disposable {
  const timer = screen.live ? setInterval(() => screen.change(line()), liveMs) : setInterval(print, linesMs);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      if (screen.live) screen.change('');
    },
  };
}

function nth(count: number): string {
  const suffix = ['th', 'st', 'nd', 'rd'][count % 100 > 10 && count % 100 < 14 ? 0 : count % 10] ?? 'th';
  return `${count}${suffix}`;
}
