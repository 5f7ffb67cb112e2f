import { Alarm, abortable, type Clock, withDeadline } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Server, Sighting } from '../server.ts';
import { contextOfHere, type InContext } from '../sessions/context.ts';
import { TermEnds } from './coverage.ts';
import { Kinship } from './kinship.ts';
import { Trail } from './trail.ts';
import { Watched } from './watched.ts';

export interface WatchSettings {
  /** Milliseconds between two looks at a server. */
  readonly intervalMs: number;
  /** Milliseconds that a look may take. */
  readonly deadlineMs: number;
  readonly clock: Clock;
}

/** How much more often it is looked while there is no primary. */
const urgency = 5;

/**
 * Looks at every server at an interval, over connections of its own: how work fares says nothing of it, nor does a full
 * pool. A server whose look fails twice in a row is down, until one succeeds. So one that stands still is noticed within
 * an interval and two deadlines; one whose connections break, at once.
 */
export class Watch<C> {
  readonly servers: readonly Watched<C>[];
  readonly ends: TermEnds = new TermEnds();
  readonly trail: Trail = new Trail();
  readonly kinship: Kinship = new Kinship();
  /** Whether calls wait for what the next looks say. */
  isUrgent: () => boolean = () => false;
  readonly #set: string;
  readonly #settings: WatchSettings;
  readonly #looks: readonly Looks<C>[];
  readonly #listeners = new Set<() => void>();
  #ended: Error | undefined;

  constructor(set: string, servers: readonly Server<C>[], settings: WatchSettings) {
    this.#set = set;
    this.#settings = settings;
    this.servers = servers.map(server => new Watched(server));
    this.#looks = this.servers.map(watched => new Looks(watched, settings, this));
    for (const watched of this.servers) watched.server.onDisconnect?.(() => this.doubt(watched));
  }

  start(): void {
    for (const looks of this.#looks) looks.now();
  }

  find(id: string): Watched<C> | undefined {
    return this.servers.find(watched => watched.id === id);
  }

  /** Looks at once, as there is reason to think that something has changed. */
  suspect(watched: Watched<C>): void {
    this.#looks[this.servers.indexOf(watched)]!.now();
  }

  /** As `suspect`, of a server whose connection was lost: what it said last does not hold until it says so again. */
  doubt(watched: Watched<C>): void {
    watched.doubt();
    this.suspect(watched);
  }

  /** Looks at all at once. */
  refresh(): void {
    this.start();
  }

  /** Calls the listener after each look. Returns a function that stops it. */
  onLook(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves after the next look at any server. Rejects with the signal's reason, or that of `stop`. */
  async nextLook(signal: AbortSignal): Promise<void> {
    this.throwIfStopped();
    let stop = () => {};
    const looked = new Promise<void>(resolve => {
      stop = this.onLook(resolve);
    });
    try {
      await abortable(looked, signal);
    } finally {
      stop();
    }
    this.throwIfStopped();
  }

  throwIfStopped(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** @internal */
  succeeded(watched: Watched<C>, sighting: Sighting, askedAt: number): void {
    if (this.#ended !== undefined) return;
    this.ends.learn(watched.sighting, sighting);
    watched.sighting = sighting;
    watched.sightedAt = askedAt;
    watched.tookMs(this.#settings.clock.now() - askedAt);
    watched.error = undefined;
    watched.downSince = undefined;
    watched.isSilent = false;
    if (watched.state !== 'up') {
      watched.state = 'up';
      if (channels.serverUp.hasSubscribers) {
        channels.serverUp.publish({ set: this.#set, server: watched.id });
      }
    }
    this.#tell();
  }

  /** @internal */
  failed(watched: Watched<C>, error: unknown, times: number): void {
    if (this.#ended !== undefined) return;
    watched.error = error;
    watched.isSilent = error instanceof Silence;
    if (times >= 2 && watched.state !== 'down') {
      watched.state = 'down';
      watched.downSince = this.#settings.clock.now();
      watched.wentDown(error);
      if (channels.serverDown.hasSubscribers) {
        channels.serverDown.publish({ set: this.#set, server: watched.id, error });
      }
    }
    this.#tell();
  }

  /** Ends all looks; who waits for one gets the reason. */
  stop(reason: Error): void {
    this.#ended = reason;
    for (const looks of this.#looks) looks.stop();
    this.#tell();
    this.#listeners.clear();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

class Silence extends Error {}

/** The looks at one server, one at a time. */
class Looks<C> {
  readonly #watched: Watched<C>;
  readonly #settings: WatchSettings;
  readonly #watch: Watch<C>;
  readonly #alarm: Alarm;
  readonly #stop = new AbortController();
  readonly #inContext: InContext = contextOfHere();
  #looking = false;
  #again = false;
  #failures = 0;

  constructor(watched: Watched<C>, settings: WatchSettings, watch: Watch<C>) {
    this.#watched = watched;
    this.#settings = settings;
    this.#watch = watch;
    this.#alarm = new Alarm(settings.clock, () => void this.#look());
  }

  now(): void {
    if (this.#looking) this.#again = true;
    else void this.#inContext(() => this.#look());
  }

  stop(): void {
    this.#stop.abort(new Error('the set was closed'));
    this.#alarm.clear();
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#stop.signal.aborted) return;
    this.#looking = true;
    this.#again = false;
    const { clock, deadlineMs, intervalMs } = this.#settings;
    const askedAt = clock.now();
    const answered = this.#watched.asked();
    const { server } = this.#watched;
    try {
      const sighting = await withDeadline(
        {
          timeoutMs: deadlineMs,
          clock,
          signal: this.#stop.signal,
          late: () => new Silence(`${server.id} did not answer within ${deadlineMs} ms`),
        },
        signal => server.look(signal),
      );
      const { kinship, servers } = this.#watch;
      const objection = kinship.objection(server.id, sighting, servers);
      if (objection !== undefined) throw objection;
      this.#failures = 0;
      this.#looking = false;
      answered();
      this.#watch.succeeded(this.#watched, sighting, askedAt);
    } catch (error) {
      this.#looking = false;
      if (this.#stop.signal.aborted) return;
      this.#failures++;
      this.#watched.doubt();
      // A first failure may be that of a connection which had ended before: it is asked again at once
      this.#again ||= this.#failures === 1;
      this.#watch.failed(this.#watched, error, this.#failures);
    }
    if (this.#stop.signal.aborted) return;
    const pauseMs = this.#watch.isUrgent() ? intervalMs / urgency : intervalMs;
    this.#alarm.set(this.#again ? clock.now() : Math.max(clock.now(), askedAt + pauseMs));
  }
}
