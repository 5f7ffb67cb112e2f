import assert from 'node:assert/strict';
import type { Delivery, Published } from '../driver.ts';
import { GroupGoneError, UnroutedError } from '../errors.ts';
import {
  drain,
  group,
  isAcknowledged,
  mayHaveEnded,
  message,
  Reader,
  send,
  type Tests,
  textOf,
  times,
  topic,
  until,
} from './subject.ts';

/** Roundtrips, isolation and the ends of iterations. */
export const basicTests: Tests = {
  'a message arrives as it was published': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const bodies = [
      new Uint8Array(),
      Uint8Array.of(0, 255, 10, 13),
      new TextEncoder().encode('Grüße, 世界 😀'),
      new Uint8Array(1_000_000).map((_, index) => index % 251),
    ];
    const headers = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'ce-type': topic,
    };
    const sent = bodies.map(body => message('', { body, headers, key: 'tenant' }));
    for (const each of sent) await send(driver, topic, each);
    await using reader = new Reader(driver, topic, group);
    const received = await reader.has(subject, sent.length);
    for (const each of sent) {
      const found = received.find(({ id }) => id === each.id);
      assert(found, `${each.id} is missing`);
      assert.deepEqual(Buffer.from(found.body), Buffer.from(each.body));
      assert.equal(found.headers['traceparent'], headers.traceparent);
      assert.equal(found.headers['ce-type'], topic);
      assert.equal(found.key, 'tenant');
      assert.equal(found.deliveries, 1);
      await found.ack();
    }
  },
  'what the publisher changes afterwards is not published': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const body = Buffer.from('before');
    await send(driver, topic, message('', { body }));
    body.write('after!');
    assert.deepEqual(await drain(subject, driver, topic, group, 1), ['before']);
  },
  'a message without a group is refused, or dropped when that is allowed': async ({ driver }) => {
    const [refused] = await driver.publish('nobody', [message('lost')]);
    assert(refused?.ok === false && refused.error instanceof UnroutedError, 'it must be refused');
    assert.equal(refused.outcome, 'NotExecuted');
    assert.deepEqual(await driver.publish('nobody', [message('lost')], { allowUnrouted: true }), [
      { ok: true },
    ]);
  },
  'a batch is reported in its order, and arrives whole': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const batch = times(500, index => message(`${index}`));
    const published = await driver.publish(topic, batch);
    assert.deepEqual(
      published,
      batch.map(() => ({ ok: true })),
    );
    const texts = await drain(subject, driver, topic, group, 500);
    assert.deepEqual(
      texts.map(Number).sort((a, b) => a - b),
      times(500, index => index),
    );
  },
  'topics do not mix': async subject => {
    const { driver } = subject;
    const topics = times(10, index => `topic-${index}`);
    for (const each of topics) await driver.declare(each, group);
    for (const each of topics) await send(driver, each, ...times(20, () => message(each)));
    for (const each of topics) {
      assert.deepEqual(new Set(await drain(subject, driver, each, group, 20)), new Set([each]));
    }
  },
  'messages wait for their consumer': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, message('early'));
    assert.deepEqual(await drain(subject, driver, topic, group, 1), ['early']);
  },
  'declaring again changes nothing': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, message('kept'));
    await Promise.all(times(10, () => driver.declare(topic, group)));
    assert.deepEqual(await drain(subject, driver, topic, group, 1), ['kept']);
  },
  'consumers of a group share its messages': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const sentAt = new Map<string, number>();
    const seen = new Set<string>();
    const acknowledged = new Set<string>();
    const twice: string[] = [];
    const each = async (delivery: Delivery) => {
      const text = textOf(delivery);
      const mayBeLost = () => mayHaveEnded(driver, sentAt.get(text)!);
      if (seen.has(text) && !mayBeLost()) twice.push(text);
      seen.add(text);
      if (await isAcknowledged(delivery, mayBeLost)) acknowledged.add(text);
    };
    const readers = times(20, () => new Reader(driver, topic, group, { each }));
    try {
      for (let round = 0; round < 10; round++) {
        const texts = times(100, index => `${round * 100 + index}`);
        for (const text of texts) sentAt.set(text, performance.now());
        await send(driver, topic, ...texts.map(text => message(text)));
      }
      await until(subject, () => acknowledged.size >= 1_000, 'a thousand messages');
      assert.equal(seen.size, 1_000);
      assert.deepEqual(twice, []);
      for (const { error } of readers) assert.ifError(error);
    } finally {
      await Promise.all(readers.map(reader => reader[Symbol.asyncDispose]()));
    }
  },
  'no consumer holds more than its prefetch': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, ...times(30, index => message(`${index}`)));
    await using reader = new Reader(driver, topic, group, { prefetch: 3 });
    await reader.has(subject, 3);
    for (let settled = 0; settled < 27; settled++) {
      await reader.received[settled]!.ack();
      await reader.has(subject, settled + 4);
      assert.equal(reader.received.length, settled + 4);
    }
    for (const each of reader.received.slice(27)) await each.ack();
    assert.equal(new Set(reader.texts).size, 30);
  },
  'one that is slow keeps no more than its places from the others': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const sentAt = performance.now();
    const mayBeLost = () => mayHaveEnded(driver, sentAt);
    await send(driver, topic, ...times(300, index => message(`${index}`)));
    const stop = new AbortController();
    const slow = driver.consume(topic, group, { prefetch: 3, signal: stop.signal })[Symbol.asyncIterator]();
    try {
      // It asks for one, and for no other while it handles that
      const { value: first } = await slow.next();
      assert.ok(first);
      const others = new Set<string>();
      await using reader = new Reader(driver, topic, group, {
        each: async delivery => {
          if (delivery.deliveries === 1 || mayBeLost()) others.add(textOf(delivery));
          await isAcknowledged(delivery, mayBeLost);
        },
      });
      await until(subject, () => others.size >= 297, 'what the slow one has no place for');
      await first.ack().catch(() => {}); // Its lease may be over
      assert.equal(reader.error, undefined);
    } finally {
      stop.abort();
      await slow.return?.();
    }
  },
  'one that ends leaves the rest to the next': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, ...times(100, index => message(`${index}`)));
    const seen = new Set<string>();
    while (seen.size < 100) {
      const before = seen.size;
      await using reader = new Reader(driver, topic, group, {
        prefetch: 1,
        each: async delivery => {
          seen.add(textOf(delivery));
          await delivery.ack();
        },
      });
      await reader.has(subject, Math.min(7, 100 - before));
    }
    assert.equal(seen.size, 100);
  },
  'what was claimed and not taken goes back uncharged': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, ...times(20, index => message(`${index}`)));
    const stop = new AbortController();
    for await (const first of driver.consume(topic, group, { prefetch: 10, signal: stop.signal })) {
      stop.abort();
      await first.ack();
    }
    await using reader = new Reader(driver, topic, group, { prefetch: 20 });
    for (const delivery of await reader.has(subject, 19)) {
      assert.equal(delivery.deliveries, 1, `${textOf(delivery)} counts as handed out`);
      await delivery.ack();
    }
  },
  'many may begin and end at once': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await Promise.all(
      times(10, async () => {
        await using _ = new Reader(driver, topic, group);
      }),
    );
    await send(driver, topic, ...times(50, index => message(`${index}`)));
    assert.equal((await drain(subject, driver, topic, group, 50)).length, 50);
  },
  'what is under way when the driver closes settles, and what was confirmed comes': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const batches = times(10, batch => times(20, index => message(`${batch} ${index}`)));
    let settled: readonly (readonly Published[])[] | undefined;
    const publishing = Promise.all(batches.map(batch => driver.publish(topic, batch))).then(all => {
      settled = all;
    });
    await driver[Symbol.asyncDispose]();
    await until(subject, () => settled !== undefined, 'the end of each call');
    await publishing;
    for (const published of await driver.publish(topic, [message('late')])) {
      assert(!published.ok && published.outcome === 'NotExecuted', 'a closed driver must refuse');
    }
    await assert.rejects(driver.declare(topic, group));
    const other = await subject.other?.();
    if (other === undefined) return;
    const confirmed = batches.flatMap((batch, at) =>
      batch.filter((_, index) => settled![at]![index]!.ok).map(textOf),
    );
    await using reader = new Reader(other, topic, group, { each: each => each.ack() });
    await until(subject, () => confirmed.every(text => reader.texts.includes(text)), 'all of them');
  },
  'a signal that has aborted yields nothing': async ({ driver }) => {
    await driver.declare(topic, group);
    const options = { prefetch: 1, signal: AbortSignal.abort() };
    for await (const _ of driver.consume(topic, group, options)) assert.fail('it must end');
  },
  'a group that nobody declared is an error': async ({ driver }) => {
    const options = { prefetch: 1, signal: new AbortController().signal };
    await assert.rejects(async () => {
      for await (const _ of driver.consume(topic, 'unheard-of', options)) return;
    }, GroupGoneError);
  },
};
