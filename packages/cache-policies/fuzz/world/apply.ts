import { type Cache, UnwrittenError, WriteError } from '../../src/index.ts';
import type { Step } from '../case.ts';
import { reads } from '../verdict/calls.ts';
import { tagOf } from './cache-options.ts';
import { idOf, isShareable, makeValue, type Value } from './values.ts';
import type { Member, World } from './world.ts';
import { isBehind, unwritten, written } from './writes.ts';

type Of<Does extends Step['does']> = Extract<Step, { readonly does: Does }>;

/** Does what the steps of a case say, and tells the model. */
export class Actor {
  readonly #world: World;
  #signals = [new AbortController(), new AbortController()];
  readonly signals: AbortController[] = [...this.#signals];
  #values = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async apply(step: Step): Promise<void> {
    const { gates, harm, time, tier } = this.#world;
    const member = 'cache' in step ? this.#member(step.cache) : undefined;
    switch (step.does) {
      case 'get':
        this.#get(step, member!);
        break;
      case 'getMany':
        this.#getMany(step, member!);
        break;
      case 'set':
      case 'delete':
        this.#write(step);
        break;
      case 'outside':
        this.#outside(step, member!);
        break;
      case 'tag':
      case 'clear':
      case 'flush':
        this.#change(step.does, member!);
        break;
      case 'resize':
        member!.max = this.#world.setup.max > 2 ? 100 : step.max;
        member!.cache.resize(member!.max);
        break;
      case 'restart':
        await this.restart(member!);
        break;
      case 'abort':
        await this.#abort(step.signal);
        break;
      case 'release':
        gates.release(step.choice);
        break;
      case 'wait':
        await time.advance(step.ms);
        break;
      case 'harm':
        this.#world.touch('all');
        harm.arm(step.what, step.how, step.times);
        break;
      case 'refuse':
        tier?.refuse(step.when, step.times);
        break;
      case 'away':
      case 'back':
        this.#connection(step.does, this.#index(member!));
        break;
      case 'empty':
        if (this.#world.memory === undefined) break;
        this.#world.touch('all');
        this.#world.memory.empty();
        break;
    }
    await time.settle();
    this.observe();
  }

  /** What must hold at any time. */
  observe(): void {
    const { members, history, time } = this.#world;
    for (const [index, { cache, max }] of members.entries()) {
      const snapshot = cache.snapshot();
      JSON.stringify(snapshot);
      if (snapshot.size > max) this.#world.fail('too many entries', `${snapshot.size} of ${max}`);
      const isOwing = snapshot.remote !== undefined && snapshot.remote.pendingInvalidations !== 0;
      if (!isBehind(this.#world) && !isOwing) history.promote(index, history.tick(), time.clock.now());
    }
  }

  /** Ends a cache as a process that shuts down in good order, and starts another one in its place. */
  async restart(member: Member): Promise<void> {
    const { history, gates, time } = this.#world;
    const index = this.#index(member);
    this.#world.touch('all');
    const closed = this.close(member);
    for (let i = 0; i < 2_000 && !closed.isDone; i++) {
      gates.releaseAll();
      await time.settle();
      if (!closed.isDone) await time.advance(10);
    }
    if (!closed.isDone) return this.#world.fail('close does not end', `of cache ${index}`);
    const owes = member.cache.snapshot().remote?.pendingInvalidations ?? 0;
    if (owes === 0) history.promote(index, history.tick(), time.clock.now());
    else history.forgive(index);
    if (closed.error instanceof UnwrittenError) {
      history.forgive(index);
      for (const { key } of closed.error.unwritten) history.forgiveKey(this.#world.keys.take(key));
    }
    this.#world.renew(index);
    this.#world.touch('all');
  }

  close({ cache }: Member): { isDone: boolean; error?: unknown } {
    const state: { isDone: boolean; error?: unknown } = { isDone: false };
    this.#world.closing.add(cache);
    const call = { name: 'close', cache: -1, of: cache, keys: [], signal: undefined, isOdd: false };
    const done = (error?: unknown) => Object.assign(state, { isDone: true, error });
    this.#world.track(call, cache.close(), () => done(), done);
    return state;
  }

  #member(index: number): Member {
    const { members } = this.#world;
    return members[index % members.length]!;
  }

  #index(member: Member): number {
    return this.#world.members.indexOf(member);
  }

  #signal(number: number | undefined): AbortSignal | undefined {
    return number === undefined ? undefined : this.#signals[number]!.signal;
  }

  #call(name: string, member: Member, keys: readonly number[], signal?: AbortSignal, isOdd = false) {
    const isRefused = keys.some(key => this.#world.keys.isRefused(key));
    return { name, cache: this.#index(member), of: member.cache, keys, signal, isOdd: isOdd || isRefused };
  }

  #get({ key, own, ttlMs, tags, signal: number }: Of<'get'>, member: Member): void {
    const { keys, source, harm, setup } = this.#world;
    const { cache } = member;
    const signal = this.#signal(number);
    const options = {
      ...(ttlMs !== undefined && { ttlMs }),
      ...(tags && { tags }),
      ...(signal && { signal }),
    };
    if (ttlMs !== undefined) this.#world.lasts(key, ttlMs);
    const given = keys.give(key);
    const isPlain = !harm.isArmed && !keys.isRefused(key) && !own && setup.write !== 'journal';
    const peeked = isPlain ? { value: cache.peek(given) } : undefined;
    const before = answersOf(cache);
    const index = this.#index(member);
    const work = own
      ? cache.get(given, async (_, context) => (await source.load(index, key, context))!, options)
      : cache.get(given, options);
    const isAnswered = answersOf(cache) > before;
    this.#world.track(this.#call('get', member, [key], signal), work, (value: Value | undefined, call) => {
      this.#world.answered(call, key, value);
      if (peeked === undefined) return;
      if (isAnswered && idOf(value) !== idOf(peeked.value)) {
        this.#world.fail(
          'peek differs',
          `peek gives ${idOf(peeked.value)}, get gives ${idOf(value)} at once`,
        );
      }
      if (!isAnswered && peeked.value !== undefined) {
        this.#world.fail('peek differs', `peek gives ${idOf(peeked.value)}, get has to wait`);
      }
    });
  }

  #getMany({ keys: numbers, signal: number }: Of<'getMany'>, member: Member): void {
    const { keys } = this.#world;
    const signal = this.#signal(number);
    const given = numbers.map(key => keys.give(key));
    const work = member.cache.getMany(given, signal ? { signal } : {});
    this.#world.track(
      this.#call('getMany', member, numbers, signal),
      work,
      (found: Map<unknown, Value>, call) => {
        for (const [at, key] of numbers.entries()) {
          const same = numbers.indexOf(key);
          this.#world.answered(call, key, found.get(given[at]) ?? found.get(given[same]));
        }
        const isForeign = [...found.keys()].some(key => !given.some(one => Object.is(one, key)));
        if (isForeign) this.#world.fail('foreign keys', 'getMany gives keys that it was not asked for');
      },
    );
  }

  #write(step: Of<'set'> | Of<'delete'>): void {
    const { setup, keys, history, source } = this.#world;
    const { key } = step;
    // the writes of two processes that write the same key behind have no order
    const member = this.#member(isBehind(this.#world) ? key : step.cache);
    const { ttlMs, tags, odd, signal: number } = step.does === 'set' ? step : ({} as Partial<Of<'set'>>);
    const value = step.does === 'set' ? makeValue(`${key}#${++this.#values}`, odd) : undefined;
    const signal = this.#signal(number);
    if (ttlMs !== undefined) this.#world.lasts(key, ttlMs);
    this.#world.touch(key);
    const isSeen = (setup.write === 'none' || isBehind(this.#world)) && !keys.isRefused(key);
    const version = history.begin(key, idOf(value), this.#index(member), isSeen);
    // without a strategy the source is the user's to write
    if (setup.write === 'none' && isSeen) source.put(key, value);
    const given = keys.give(key);
    const work =
      value === undefined
        ? member.cache.delete(given, signal ? { signal } : {})
        : member.cache.set(given, value, {
            ...(ttlMs !== undefined && { ttlMs }),
            ...(tags && { tags }),
            ...(signal && { signal }),
          });
    const isOdd = keys.needsText && !isShareable(value);
    const call = this.#call(step.does, member, [key], signal, isOdd);
    this.#world.track(
      call,
      work,
      (_, begun) => written(this.#world, version, begun),
      (error, begun) => unwritten(this.#world, version, begun, error),
    );
  }

  /** Somebody else writes the source, and then says so. */
  #outside({ key, by }: Of<'outside'>, member: Member): void {
    const { source, history, time } = this.#world;
    if (isBehind(this.#world)) return;
    const value = makeValue(`${key}#${++this.#values}`);
    const version = history.begin(key, idOf(value), this.#index(member), true);
    version.end = version.start;
    version.storedAt = Number.NEGATIVE_INFINITY;
    source.put(key, value);
    this.#world.touch('all');
    const work = by === 'tag' ? member.cache.invalidateTags([tagOf(key)]) : member.cache.clear();
    const settled = (reader: number | 'all') =>
      history.settle(version, reader, time.clock.now(), by === 'tag');
    this.#world.track(
      this.#call(by, member, []),
      work,
      () => {
        this.#world.touch('all');
        settled('all');
      },
      (error, call) => {
        this.#world.touch('all');
        if (error instanceof WriteError) settled(call.cache);
      },
    );
  }

  #change(does: 'tag' | 'clear' | 'flush', member: Member): void {
    const { history, time } = this.#world;
    if (does !== 'flush') this.#world.touch('all');
    const before = history.tick();
    const { cache } = member;
    const work =
      does === 'tag' ? cache.invalidateTags(['all', 'x']) : does === 'clear' ? cache.clear() : cache.flush();
    const index = this.#index(member);
    const done = () => this.#world.touch('all');
    this.#world.track(
      this.#call(does, member, []),
      work,
      () => {
        done();
        const owes = cache.snapshot().remote?.pendingInvalidations ?? 0;
        if (does === 'flush' && owes === 0) history.promote(index, before, time.clock.now());
      },
      done,
    );
  }

  /** The reads that have the signal reject at once, and a load that nobody waits for is given up. */
  async #abort(number: number): Promise<void> {
    const { calls, time } = this.#world;
    const controller = this.#signals[number]!;
    this.#signals[number] = new AbortController();
    this.signals.push(this.#signals[number]!);
    const concerned = calls.filter(call => call.signal === controller.signal && !call.isSettled);
    for (const { keys } of concerned) for (const key of keys) this.#world.touch(key);
    controller.abort(new Error('the caller has gone'));
    await time.settle();
    for (const call of concerned) {
      if (reads.has(call.name) && !call.isSettled) {
        this.#world.fail('abort not heeded', `by ${call.name} of keys ${call.keys}`);
      }
      for (const key of call.keys) this.#abandoned(key, call.cache);
    }
  }

  #abandoned(key: number, cache: number): void {
    const { calls, loads, setup } = this.#world;
    const { staleMs, staleIfErrorMs, refreshAhead } = setup.options;
    if (staleMs !== undefined || staleIfErrorMs !== undefined || refreshAhead !== undefined) return;
    const isAwaited = (one: number) =>
      calls.some(
        call => reads.has(call.name) && !call.isSettled && call.cache === cache && call.keys.includes(one),
      );
    for (const load of loads.underWay) {
      if (load.cache !== cache || load.key !== key || load.signal.aborted) continue;
      const together = [...loads.underWay].filter(({ signal }) => signal === load.signal);
      if (together.some(one => isAwaited(one.key))) continue;
      this.#world.fail('abandoned load', `of key ${key}: nobody waits, and its signal has not aborted`);
    }
  }

  #connection(does: 'away' | 'back', index: number): void {
    const session = this.#world.tier?.sessions.findLast(one => one.cache === index);
    if (session === undefined) return;
    this.#world.wasAway ||= does === 'away';
    this.#world.tierFailed();
    if (does === 'away') session.leave();
    else session.comeBack();
  }
}

/** How many reads were answered at once. */
function answersOf(cache: Cache<unknown, Value>): number {
  const { hits, pendingHits, staleServed } = cache.snapshot();
  return hits + pendingHits + staleServed;
}
