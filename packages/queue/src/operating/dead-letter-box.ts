import { integer, listOf, type RulesFor, readOptions, required } from '@ashlar/core';
import type { DeadLetter, DeadLetterSelection } from '../dead-letters.ts';
import type { Driver } from '../driver.ts';
import { QueueTimeoutError } from '../errors.ts';
import { decode } from '../messages/envelope.ts';
import { idText } from '../names.ts';
import { methodOf } from './method-of.ts';

/** A dead letter with its payload, as far as that can be read. */
export interface ReadDeadLetter extends DeadLetter {
  /** Undefined when the body is no JSON; `body` has its bytes. */
  readonly payload: unknown;
}

const selectionRules = {
  ids: listOf(required(idText)),
  limit: integer(undefined, { min: 1 }),
} satisfies RulesFor<DeadLetterSelection>;

/** How many letters a page has at first, at least and at most. Each after the first begins with the last of the one before. */
const pageSizes = { first: 10, least: 2, most: 100 };
/** What the bodies of a page should not exceed, in bytes: an answer has to come in time, and to fit into memory. */
const pageBytes = 2 ** 23;
/** How often a walk that others disturb begins again without bringing anything new. */
const maxAgain = 10;

/** The dead letters of one group. */
export class DeadLetterBox implements AsyncIterable<ReadDeadLetter> {
  readonly #driver: Driver;
  readonly #topic: string;
  readonly #group: string;

  constructor(driver: Driver, topic: string, group: string) {
    this.#driver = driver;
    this.#topic = topic;
    this.#group = group;
  }

  /** How many there are. */
  async count(): Promise<number> {
    const stats = await this.#need('stats')(this.#topic, this.#group);
    return stats.dead;
  }

  /** All of them, oldest first, each once, whatever is done to them meanwhile. Those that come meanwhile may be missed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReadDeadLetter, void, undefined> {
    const inspect = this.#need('inspect');
    const seen = new Set<string>();
    // Where several messages may have one id, each of them is listed
    const isOne = this.#driver.capabilities.uniqueIds === true;
    let end: readonly DeadLetter[] = []; // The last two of the page before: each page begins with the last of the one before
    let limit = pageSizes.first;
    for (let again = 0; again <= maxAgain; ) {
      const [previous, last] = end;
      let letters: readonly DeadLetter[];
      try {
        letters = await inspect(this.#topic, this.#group, { limit, after: previous?.id });
      } catch (error) {
        if (!(error instanceof QueueTimeoutError) || limit === pageSizes.least) throw error;
        limit = Math.max(pageSizes.least, limit >> 2);
        continue;
      }
      if (last !== undefined && !isSame(letters[0], last)) {
        // It is gone, or has died again and is the latest: the others are found from the oldest on
        end = [];
        again++;
        continue;
      }
      for (const letter of letters) {
        const name = isOne ? letter.id : `${letter.diedAtMs} ${letter.id}`;
        if (seen.size === seen.add(name).size) continue;
        again = 0;
        yield { ...letter, payload: payloadOf(letter) };
      }
      if (letters.length < limit) return;
      end = letters.slice(-2);
      limit = fitting(letters);
    }
  }

  /** Sends them to their group again, as if they had never failed. Returns how many. @throws InvalidOptionError */
  async redrive(selection: DeadLetterSelection = {}): Promise<number> {
    const { ids, limit } = readOptions('dead.redrive', selection, selectionRules);
    return this.#need('redrive')(this.#topic, this.#group, { ids, limit });
  }

  /** Deletes them. Returns how many. @throws InvalidOptionError */
  async purge(selection: DeadLetterSelection = {}): Promise<number> {
    const { ids, limit } = readOptions('dead.purge', selection, selectionRules);
    return this.#need('purge')(this.#topic, this.#group, { ids, limit });
  }

  #need<M extends 'inspect' | 'redrive' | 'purge' | 'stats'>(method: M): NonNullable<Driver[M]> {
    return methodOf(this.#driver, method, 'dead letters', `dead.${method}`);
  }
}

/** How many letters the next page should have, if they are as large as those. */
function fitting(letters: readonly DeadLetter[]): number {
  const bytes = letters.reduce((sum, { body }) => sum + body.byteLength, 0);
  const fits = Math.floor((pageBytes * letters.length) / Math.max(1, bytes));
  return Math.min(pageSizes.most, Math.max(pageSizes.least, fits));
}

function isSame(letter: DeadLetter | undefined, { id, diedAtMs }: DeadLetter): boolean {
  return letter?.id === id && letter.diedAtMs === diedAtMs;
}

function payloadOf({ topic, body, headers }: DeadLetter): unknown {
  try {
    return decode(topic, body, headers['content-type']);
  } catch {
    return undefined;
  }
}
