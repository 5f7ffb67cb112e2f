import { ManualClock } from '@ashlar/core/testing';
import { memoryStore, type Store } from '@ashlar/store';
import { expect, it } from 'vitest';
import {
  leading,
  type MemoryClient,
  memoryCluster,
  ReplicaSet,
  type Server,
  type TermRecord,
} from '../../../src/index.ts';

const stepMs = 50;
/** The claim of who stands still ends after 3 s; then another process has so long. */
const patienceMs = 13_000;

/** A process that stands still from one of its calls of servers and store on, until it is let go. */
class Freezing {
  readonly calls: string[] = [];
  readonly #at: number;
  #isArmed = false;
  #go = () => {};
  readonly #gone = new Promise<void>(resolve => {
    this.#go = resolve;
  });

  constructor(at: number) {
    this.#at = at;
  }

  arm(): void {
    this.#isArmed = true;
  }

  /** What it would do next: undefined when it does all. */
  get frozenAt(): string | undefined {
    return this.calls[this.#at];
  }

  go(): void {
    this.#isArmed = false;
    this.#go();
  }

  /** Every second call stands still once it has been made, before its answer. */
  of<T extends object>(original: T, name: string, methods: readonly string[]): T {
    return new Proxy(original, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        if (!methods.includes(String(key))) return value.bind(target);
        return async (...parameters: unknown[]) => {
          await this.#call(`before ${name} ${String(key)}`);
          const result: unknown = await value.apply(target, parameters);
          await this.#call(`after ${name} ${String(key)}`);
          return key === 'administer' ? this.of(result as object, name, administrating) : result;
        };
      },
    });
  }

  async #call(what: string): Promise<void> {
    if (!this.#isArmed) return;
    this.calls.push(what);
    if (this.calls.length > this.#at) await this.#gone;
  }
}

const administrating = ['isPrimary', 'detach', 'position', 'drain', 'require', 'promote', 'follow', 'fence'];

async function play(at: number): Promise<string | undefined> {
  const clock = new ManualClock();
  const cluster = memoryCluster({ clock });
  const store = memoryStore({ clock });
  const freezing = new Freezing(at);
  const until = async (isOver: () => boolean | Promise<boolean>, what: string) => {
    for (let ms = 0; !(await isOver()); ms += stepMs) {
      if (ms > patienceMs) throw new Error(`${freezing.frozenAt}: ${what}`);
      await clock.advance(stepMs);
    }
  };
  const settled = async <T>(work: Promise<T>, what: string) => {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    work.then(over, over);
    await until(() => isOver, what);
    return work;
  };
  const connect = (servers: readonly Server<MemoryClient>[], itsStore: Store) =>
    settled(
      ReplicaSet.connect({ servers, authority: leading({ store: itsStore }), clock }),
      'it does not connect',
    );
  const record = async (): Promise<TermRecord> =>
    JSON.parse(new TextDecoder().decode((await store.get('failover:replica-set:term'))!.value));
  const serves = async () => (await record()).phase === 'serving';

  const frozen = await connect(
    cluster.servers().map(server => freezing.of(server, server.id, ['administer'])),
    freezing.of(store, 'store', ['get', 'set', 'claim']),
  );
  const other = await connect(cluster.servers(), store);
  await until(serves, 'no term begins');

  const kept: string[] = [];
  const write = async (key: string) => {
    await settled(
      other.transaction(db => db.set(key, '1'), { timeoutMs: patienceMs }),
      'a write does not end',
    );
    kept.push(key);
  };
  await write('before');
  freezing.arm();
  const switching = frozen.switchover({ to: 'b' }).then(
    () => 'done',
    error => String(error),
  );
  const during = write('during');
  await during;
  // Whoever has died there: another process has finished what it began, or taken it back
  await until(serves, 'the change stays half done');
  await write('without it');
  const { frozenAt } = freezing;
  freezing.go();
  await settled(switching, 'who was let go does not end');
  await write('with it');
  await until(serves, 'the change stays half done in the end');
  await until(async () => {
    const looks = await Promise.all(cluster.servers().map(each => each.look(new AbortController().signal)));
    return looks.filter(({ role, isFenced }) => role === 'primary' && !isFenced).length === 1;
  }, 'not one server takes writes');
  const keys = await settled(
    other.read(db => db.keys()),
    'a read does not end',
  );
  expect(keys, frozenAt).toEqual([...kept].sort());
  await settled(Promise.all([frozen.close(), other.close()]), 'it does not close');
  await store.close();
  return frozenAt;
}

it('whoever hands over may die or stand still at any step: writes go on, nothing is lost, one server takes writes', async () => {
  const at: string[] = [];
  for (;;) {
    const frozenAt = await play(at.length);
    if (frozenAt === undefined) break;
    at.push(frozenAt);
  }
  for (const server of ['a drain', 'a fence', 'c detach', 'b detach', 'b promote', 'c follow', 'store set'])
    expect(at).toContain(`after ${server}`);
});
