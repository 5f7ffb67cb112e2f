import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import {
  childrenOf,
  ended,
  isAlive,
  startNats,
  startPostgres,
  startRabbit,
  startRedis,
  written,
} from '@workspace/services';
import { describeWith, programAt } from '@workspace/services/vitest';
import * as amqp from 'amqplib';
import { Redis } from 'ioredis';
import pg from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Report } from '../src/output/report.ts';

const start = programAt(new URL('../dist/main.js', import.meta.url));

/** Workers start as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 120_000 });

async function performed(...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await ended(
    start('--json', '--orders', '150', '--kill-every-ms', '400', ...args),
  );
  const report = JSON.parse(stdout || '{}') as Report;
  expect({ code, report }, stderr).toMatchObject({
    code: 0,
    report: { ok: true, orders: 150, charged: 150, doubled: 0, lost: 0 },
  });
  expect(stderr).toContain('the worker is killed, for the 1st time');
  expect(report.killed).toBeGreaterThan(0);
  // Each is killed between a charge and its answer
  expect(report.repeated).toBeGreaterThan(0);
  return report;
}

describe('in memory', () => {
  it('charges every order once, although the worker is killed again and again', async () => {
    expect(await performed()).toMatchObject({ driver: 'memory' });
  });

  it('prints a table where people read', async () => {
    const { code, stdout } = await ended(start('--orders', '20'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/orders taken +20[\s\S]*double charges +0\n *lost +0[\s\S]*none twice/);
  });
});

describe('over ZeroMQ', () => {
  it('does the same with processes, without a server', async () => {
    expect(await performed('--driver', 'zeromq')).toMatchObject({ driver: 'zeromq' });
  });
});

describeWith('nats', 'on NATS', () => {
  it('does the same with processes, and takes its streams away', async () => {
    const server = await startNats();
    onTestFinished(() => server.stop());
    const url = `nats://127.0.0.1:${server.port}`;
    expect(await performed('--driver', 'nats', '--url', url)).toMatchObject({ driver: 'nats' });
    const connection = await connect({ servers: url });
    onTestFinished(() => connection.close());
    const names = [];
    for await (const name of (await jetstreamManager(connection)).streams.names()) names.push(name);
    expect(names.filter(name => name.includes('orders-'))).toEqual([]);
  });
});

describeWith('postgres', 'with an outbox in PostgreSQL', () => {
  it('commits orders with their events, and takes its tables away', async () => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    await performed('--outbox', server.url);
    const client = new pg.Client(server.url);
    await client.connect();
    onTestFinished(() => client.end());
    const { rows } = await client.query(
      "SELECT tablename FROM pg_tables WHERE tablename ~ '^(orders|outbox)_'",
    );
    expect(rows).toEqual([]);
  });
});

describeWith('postgres', 'on PostgreSQL', () => {
  it('does the same with processes, and takes its tables away', async () => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    const report = await performed('--driver', 'postgres', '--url', server.url, '--outbox', server.url);
    expect(report).toMatchObject({ driver: 'postgres' });
    const client = new pg.Client(server.url);
    await client.connect();
    onTestFinished(() => client.end());
    const { rows } = await client.query(
      "SELECT tablename FROM pg_tables WHERE tablename ~ '^(orders|outbox|queue|billed)_'",
    );
    expect(rows).toEqual([]);
  });
});

describeWith('rabbitmq', 'on RabbitMQ', () => {
  it('does the same with processes, and takes its queues away', async () => {
    const server = await startRabbit();
    onTestFinished(() => server.stop());
    const report = await performed('--driver', 'rabbitmq', '--url', server.url);
    expect(report).toMatchObject({ driver: 'rabbitmq' });
    const connection = await amqp.connect(server.url);
    connection.on('error', () => {});
    onTestFinished(() => connection.close());
    for (const name of ['billing', 'billing:dead']) {
      const channel = await connection.createChannel();
      channel.on('error', () => {}); // What is looked for in vain ends the channel
      const queue = `orders-${report.run}:order.placed:${name}`;
      await expect(channel.checkQueue(queue)).rejects.toThrow('NOT_FOUND');
    }
  });
});

describeWith('redis', 'on Redis', () => {
  it('does the same with the jobs of BullMQ', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    expect(await performed('--driver', 'bullmq', '--url', server.url)).toMatchObject({ driver: 'bullmq' });
  });

  it('does the same with processes, and takes its keys away', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    expect(await performed('--driver', 'redis', '--url', server.url)).toMatchObject({ driver: 'redis' });
    const redis = new Redis(server.url);
    onTestFinished(() => redis.disconnect());
    expect((await redis.keys('*')).filter(key => /orders-|billed-/.test(key))).toEqual([]);
  });

  it('leaves nobody behind at Ctrl-C', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const child = start('--driver', 'redis', '--url', server.url);
    await written(child, /the worker is killed/);
    const workers = childrenOf(child.pid!);
    child.kill('SIGINT');
    expect((await ended(child)).code).toBe(130);
    for (const pid of workers) expect(isAlive(pid)).toBe(false);
  });

  it('says that there is no server', async () => {
    const { code, stderr } = await ended(start('--driver', 'redis', '--url', 'redis://127.0.0.1:1'));
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
