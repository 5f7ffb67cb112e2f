import assert from 'node:assert/strict';
import type { Delivery } from '../driver.ts';
import { GroupGoneError } from '../errors.ts';
import {
  group,
  isAcknowledged,
  mayHaveEnded,
  message,
  Reader,
  send,
  type Tests,
  times,
  topic,
  until,
} from './subject.ts';

/** Texts that something on the way may take for something else: numbers, names of its own, patterns, separators, escapes. */
export const oddTexts: readonly string[] = [
  ...['0', '-1', '007', '1e3', 'NaN', 'Infinity', 'null', 'undefined', 'true'],
  ...['__proto__', 'constructor', 'toString', 'default', 'wait', 'meta', 'id'],
  ...[
    'a:b',
    ':',
    '::1',
    'a{b}',
    '{}',
    '*',
    '>',
    'a.>',
    '?',
    '[a]',
    '%',
    '%s',
    '%41',
    '~',
    '~%41',
    '$1',
    '#',
    '@',
  ],
  ...[
    'a,b',
    'a;b',
    "'",
    '"',
    '`',
    '\\',
    '\\n',
    '/',
    '../..',
    '.',
    '..',
    '-',
    '--',
    '_',
    '&',
    '<a>',
    '=',
    '=41',
  ],
  ...[' ', ' a', 'a ', 'a b', '\t', 'a\nb', 'a\r\nb', '\u007f', '\u00a0', '\u200b', '\ufeffa', '\u2028'],
  ...['é', 'e\u0301', 'ß', 'İ', '世界', '😀', '👩‍👩‍👧', 'A', 'a', '\ue000', '\uffff'],
  ...['x'.repeat(255), 'x'.repeat(256), '😀'.repeat(64), 'ü'.repeat(128)],
];

/** The same for names of topics and groups, two of which may become one where case or punctuation is lost. */
const oddNames: readonly string[] = [
  ...['0', '-1', 'NaN', '__proto__', '.', '..', '_', 'a.b', 'a_b', 'a', 'A'],
  ...['default', 'dead', 'meta', 'ashlar-queue'],
];

/** Texts and names that are as good as others, and groups that are not there. */
export const oddTests: Tests = {
  'ids and keys of any text are kept apart, and come as they were published': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const sent = oddTexts.map(text => ({ ...message(`of ${text}`), id: text, key: text }));
    const sentAt = performance.now();
    assert.deepEqual(
      await driver.publish(topic, sent),
      sent.map(() => ({ ok: true })),
    );
    const found = new Map<string, Delivery>();
    await using reader = new Reader(driver, topic, group, {
      each: async delivery => {
        found.set(delivery.id, delivery);
        await isAcknowledged(delivery, () => mayHaveEnded(driver, sentAt));
      },
    });
    await until(subject, () => found.size >= sent.length || reader.error !== undefined, 'all of them');
    assert.ifError(reader.error);
    assert.equal(found.size, sent.length);
    for (const { id, body } of sent) {
      assert.equal(found.get(id)?.key, id);
      assert.deepEqual(Buffer.from(found.get(id)!.body), Buffer.from(body), id);
    }
  },
  'topics and groups of any name do not mix': async subject => {
    const { driver } = subject;
    const places = oddNames.map((name, at) => [name, oddNames.at(at - 1)!] as const);
    const beside = driver.capabilities.fanout ? ['a.b', 'a_b', 'a', 'A'] : [];
    const all = [...places, ...beside.map(name => [topic, name] as const)];
    for (const [each, name] of all) await driver.declare(each, name);
    const sentAt = performance.now();
    for (const each of new Set(all.map(([each]) => each))) await send(driver, each, message(`of ${each}`));
    for (const [each, name] of all) {
      await using reader = new Reader(driver, each, name, {
        each: async delivery => void (await isAcknowledged(delivery, () => mayHaveEnded(driver, sentAt))),
      });
      await reader.has(subject, 1);
      assert.deepEqual([...new Set(reader.texts)], [`of ${each}`], `${each} ${name}`);
    }
  },
  'what is asked of a group that nobody declared is an error, and makes none': async ({ driver }) => {
    await driver.declare(topic, group);
    for (const [each, name] of [
      [topic, 'unheard-of'],
      ['unheard-of', group],
    ] as const) {
      const ids = ['unheard of'];
      const calls: Record<string, (() => Promise<unknown>) | undefined> = {
        probe: () => driver.probe!(each, name),
        stats: () => driver.stats!(each, name),
        inspect: () => driver.inspect!(each, name, { limit: 1 }),
        redrive: () => driver.redrive!(each, name, {}),
        'redrive by ids': () => driver.redrive!(each, name, { ids }),
        'redrive of none': () => driver.redrive!(each, name, { ids: [] }),
        purge: () => driver.purge!(each, name, {}),
        'purge by ids': () => driver.purge!(each, name, { ids }),
        'purge of none': () => driver.purge!(each, name, { ids: [] }),
        find: () => driver.find!(each, name, 'unheard of'),
        cancel: () => driver.cancel!(each, name, 'unheard of'),
        pause: () => driver.pause!(each, name),
        resume: () => driver.resume!(each, name),
      };
      for (const round of times(2, index => index)) {
        for (const [call, ask] of Object.entries(calls)) {
          if (driver[call.split(' ', 1)[0] as keyof typeof driver] === undefined) continue;
          await assert.rejects(ask!(), GroupGoneError, `${call} of ${each} ${name}, time ${round + 1}`);
        }
      }
    }
  },
};
