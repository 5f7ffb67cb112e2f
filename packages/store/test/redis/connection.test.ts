import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { CallOutcome, Clock } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { eventually, freePorts, startRedis, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { Connection } from '../../src/adapters/redis-connection/connection.ts';
import { Commands, clientLike, Link, type LinkErrors, script } from '../../src/adapters/redis-connection.ts';
import { ending } from '../support/stores.ts';

/** An error of the package that uses the connection. */
class MineError extends Error {
  readonly kind: keyof LinkErrors;
  readonly outcome: CallOutcome;

  constructor(kind: keyof LinkErrors, outcome: CallOutcome, cause?: unknown) {
    super(kind, { cause });
    this.kind = kind;
    this.outcome = outcome;
  }
}

const errors: LinkErrors = {
  timedOut: (_command, _timeoutMs, outcome) => new MineError('timedOut', outcome),
  unavailable: (_message, outcome, cause) => new MineError('unavailable', outcome, cause),
  refused: (_message, outcome, cause) => new MineError('refused', outcome, cause),
  closed: outcome => new MineError('closed', outcome),
};

function linkTo(port: number, options: { clock?: Clock; random?: () => number } = {}): Link {
  const redis = new Redis({ port, lazyConnect: true });
  const connectTimeoutMs = 1_000;
  const make = () => clientLike(redis, { connectionName: 'mine', connectTimeoutMs });
  const link = new Link({ connectTimeoutMs, errors, make, ...options });
  onTestFinished(() => link.abort());
  return link;
}

const soon = { withinMs: 20_000 };
const answering = script(0, "return 'nothing'");

describeWith('redis', 'a connection to Redis', () => {
  it('has the name and the errors of the package that uses it', async () => {
    const server = ending(await startRedis({ own: true }));
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const link = linkTo(proxy.port);
    const commands = new Commands(link, 5_000);
    expect(String(await commands.reading('CLIENT', ['LIST'], false))).toContain(' name=mine ');
    expect(await commands.script(answering, [])).toBe('nothing');
    const refused = commands.reading('LPUSH', ['key'], false);
    await expect(refused).rejects.toMatchObject({ kind: 'refused', cause: { name: 'ReplyError' } });
    proxy.stall();
    const late = new Commands(link, 100).script(answering, []);
    await expect(late).rejects.toMatchObject({ kind: 'timedOut', outcome: 'Unknown' });
    const unsent = new Commands(link, 100).script(answering, []);
    await expect(unsent).rejects.toMatchObject({ kind: 'unavailable', outcome: 'NotExecuted' });
    proxy.resume();
    await eventually(() => commands.reading('PING', [], false), soon);
    await link.close();
    await expect(commands.reading('PING', [], false)).rejects.toMatchObject({
      kind: 'closed',
      outcome: 'NotExecuted',
    });
  });

  it('is opened again after pauses that the given clock and random decide', async () => {
    const pauses: number[] = [];
    const clock = new ManualClock();
    const recording: Clock = {
      now: () => clock.now(),
      sleep: async ms => void pauses.push(ms),
    };
    const link = linkTo(1, { clock: recording, random: () => 1 });
    await eventually(async () => expect(pauses.length).toBeGreaterThan(6), soon);
    link.abort();
    expect(pauses.slice(0, 7)).toEqual([20, 40, 80, 160, 320, 500, 500]);
  });

  it('survives TLS that is ended in mid-handshake with a server whose certificate it does not trust', async () => {
    const [port] = (await freePorts(1)) as [number];
    const pem = (name: string) =>
      fileURLToPath(new URL(`../../../lb/test/support/servers/tls/${name}.pem`, import.meta.url));
    const config = {
      'tls-port': port,
      'tls-cert-file': pem('cert'),
      'tls-key-file': pem('key'),
      'tls-ca-cert-file': pem('cert'),
      'tls-auth-clients': 'no',
    };
    ending(await startRedis({ config }));
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on('uncaughtExceptionMonitor', note);
    onTestFinished(() => void process.off('uncaughtExceptionMonitor', note));
    const redis = new Redis({ port, host: '127.0.0.1', tls: {}, lazyConnect: true });
    // That a refusal of the certificate and one of the handshake come together is up to the network
    for (let i = 0; i < 60; i++) {
      const client = clientLike(redis, { connectionName: 'mine', connectTimeoutMs: 60_000 });
      const closed = new Promise<void>(resolve => client.on('close', resolve));
      const connection = new Connection(client);
      const opening = connection.open(undefined, 60_000, undefined).catch(() => {});
      while (!client.stream) await setImmediate();
      for (let turns = i % 4; turns > 0; turns--) await setImmediate();
      connection.end(undefined);
      await Promise.all([opening, closed]);
    }
    expect(uncaught).toEqual([]);
  });
});
