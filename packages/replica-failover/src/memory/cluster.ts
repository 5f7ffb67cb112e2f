import {
  backgroundClock,
  type Clock,
  clock,
  defaultTo,
  durationMs,
  InvalidOptionError,
  integer,
  listOf,
  type RulesFor,
  readOptions,
  record,
  required,
  text,
} from '@ashlar/core';
import type { Server } from '../server.ts';
import type { MemoryClient } from './connection.ts';
import { MemoryNode } from './node.ts';
import { Replication } from './replication.ts';
import { MemoryServer } from './server.ts';

export interface MemoryClusterOptions {
  /** The servers; the first is the primary. Default: `['a', 'b', 'c']`. */
  readonly ids?: readonly string[];
  /** Milliseconds after which a replica has what the primary has. Default: 0. */
  readonly lagMs?: number;
  /** How many replicas must have a write before it is acknowledged. Default: 1, or 0 for a single server. */
  readonly synchronous?: number;
  /** The region of servers, by id. Default: none. */
  readonly regions?: Readonly<Record<string, string>>;
  /** Measures `lagMs`. Default: the machine's, which does not keep the process alive. */
  readonly clock?: Clock;
}

const optionRules = {
  ids: defaultTo<readonly string[]>(['a', 'b', 'c'], listOf(required(text()))),
  lagMs: durationMs(0),
  synchronous: integer(undefined, { min: 0 }),
  regions: regionsOf,
  clock: clock(backgroundClock),
} satisfies RulesFor<MemoryClusterOptions>;

let clusters = 0;

/**
 * A primary and its replicas in the memory of this process, with what makes real ones hard: they lag, stand still, die,
 * come back, and are promoted. For tests, demonstrations and first programs.
 */
export class MemoryCluster {
  readonly #replication: Replication;
  readonly #regions: Readonly<Record<string, string>>;

  /** @throws InvalidOptionError */
  constructor(options: MemoryClusterOptions = {}) {
    const { ids, lagMs, synchronous, regions, clock } = readOptions('memoryCluster', options, optionRules);
    const name = `memory-${++clusters}`;
    const [first, ...others] = ids.map(id => new MemoryNode(id, name));
    if (first === undefined || new Set(ids).size < ids.length) {
      throw new InvalidOptionError('ids', '`ids` must be different from each other, and at least one');
    }
    if (synchronous !== undefined && synchronous > others.length) {
      const message = `\`synchronous\` must be at most the number of replicas, ${others.length}, got ${synchronous}`;
      throw new InvalidOptionError('synchronous', message);
    }
    this.#replication = new Replication([first, ...others], {
      lagMs,
      synchronous: synchronous ?? Math.min(1, others.length),
      clock,
    });
    this.#regions = regions;
    first.role = 'primary';
    for (const node of others) node.upstream = first;
  }

  /** The servers for a `ReplicaSet`; each call is as another process that connects to them. */
  servers(): Server<MemoryClient>[] {
    return this.#nodes.map(node => new MemoryServer(this.#replication, node, this.#regions[node.id]));
  }

  /** The server dies, with its connections. What it had acknowledged it has when it is started again. */
  kill(id: string): void {
    const node = this.#node(id);
    node.state = 'dead';
    node.disconnect();
    node.changed();
  }

  /** Starts a server that was killed. It believes what it believed before, also that it is primary. */
  start(id: string): void {
    const node = this.#node(id);
    if (node.state !== 'dead') return;
    node.state = 'running';
    node.restarted();
    node.changed();
    this.#replication.copyAll();
  }

  /** The server stands still: it answers nothing, and closes no connection. */
  stop(id: string): void {
    const node = this.#node(id);
    if (node.state === 'running') node.state = 'stopped';
  }

  /** A server that stood still goes on. */
  resume(id: string): void {
    const node = this.#node(id);
    if (node.state !== 'stopped') return;
    node.state = 'running';
    node.changed();
    this.#replication.copyAll();
  }

  /** The replica goes on receiving, and shows its readers nothing new. */
  pauseReplay(id: string): void {
    this.#node(id).isReplayPaused = true;
  }

  resumeReplay(id: string): void {
    const node = this.#node(id);
    node.isReplayPaused = false;
    node.apply();
    node.changed();
  }

  /**
   * Makes a replica the primary of a new term, with what it has. The other replicas follow it. A primary that lives
   * is not told, and goes on, as a real one would.
   */
  promote(id: string): void {
    const chosen = this.#node(id);
    const others = this.#nodes.filter(node => node !== chosen);
    chosen.promote(1 + Math.max(...this.#nodes.map(node => node.term)));
    for (const node of others) if (node.role === 'replica') node.follow(chosen);
    this.#replication.copyAll();
  }

  /** Makes a server a replica of the newest primary; what only it had is gone. */
  rejoin(id: string): void {
    const node = this.#node(id);
    const primaries = this.#nodes.filter(each => each.role === 'primary' && each !== node);
    const newest = primaries.sort((one, other) => other.term - one.term)[0];
    if (newest === undefined)
      throw new InvalidOptionError('id', `there is no other primary that ${id} could follow`);
    node.follow(newest);
    this.#replication.copyAll();
  }

  get #nodes(): readonly MemoryNode[] {
    return this.#replication.nodes;
  }

  #node(id: string): MemoryNode {
    const node = this.#nodes.find(each => each.id === id);
    if (node !== undefined) return node;
    throw new InvalidOptionError(
      'id',
      `there is no server ${JSON.stringify(id)}; there are ${this.#nodes.map(each => each.id).join(', ')}`,
    );
  }
}

/** As the constructor. @throws InvalidOptionError */
export function memoryCluster(options?: MemoryClusterOptions): MemoryCluster {
  return new MemoryCluster(options);
}

function regionsOf(value: unknown, option: string): Readonly<Record<string, string>> {
  const names = Object.keys(Object(value ?? {}));
  const rules = Object.fromEntries(names.map(name => [name, required(text())]));
  return record(rules)(value, option) as Readonly<Record<string, string>>;
}
