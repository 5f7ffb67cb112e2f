import type { Position } from '../../session.ts';
import type { RedisClientLike } from './client-like.ts';
import {
  clusterOf,
  fieldsOf,
  type History,
  historyOf,
  keysOf,
  later,
  nameOf,
  positionIn,
  type Replication,
  readHistory,
  replicationOf,
} from './history.ts';
import { isRefusal } from './replies.ts';

/** A server's data and the state of its replication, at one moment. */
export interface Reading {
  readonly replication: Replication;
  readonly history: History | undefined;
  readonly position: Position;
  /** Another one means that the server was started again. */
  readonly instance: string;
  /** Names the data, where that is known. */
  readonly cluster: string | undefined;
}

const maxKnown = 64;

/** Writes only what the caller has decided on, at the server and in the state that it has seen. */
const note = `
local info = redis.call('INFO', 'replication')
local isSame = string.find(info, 'role:master', 1, true) and string.find(info, 'master_replid:' .. ARGV[3], 1, true)
if not isSame or (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`;

/** The history of the servers of one set, as this process knows it, and as it is kept with their data. */
export class Chronicle {
  readonly #key: string;
  readonly #known = new Map<string, History>();

  constructor(key: string) {
    this.#key = key;
  }

  /** In one round trip. Rejects when the server cannot be asked, or the key holds something else. */
  async read(client: RedisClientLike): Promise<Reading> {
    return (await this.#read(client)).reading;
  }

  /** As `read`; a primary that has begun a branch notes it with its data. @param id of the server */
  async readAndNote(client: RedisClientLike, id: string): Promise<Reading> {
    const { reading, text } = await this.#read(client);
    const { replication, history } = reading;
    if (replication.role !== 'primary') return reading;
    const found = historyOf(id, replication, history, this.#known);
    const ours = found.isEmpty ? await this.#named(found, client, text) : found;
    if (ours !== history) {
      const args = [text, JSON.stringify(ours), replication.replid];
      // One that may not write yet is as far all the same: whoever looks concludes the same from what it has
      await client.call('EVAL', note, 1, this.#key, ...args).catch(passOverRefusals);
    }
    this.#remember(ours);
    return { ...reading, history: ours, position: positionIn(ours, replication), cluster: nameOf(ours) };
  }

  /** Data has its name from when there is some. */
  async #named(history: History, client: RedisClientLike, text: string): Promise<History> {
    const keys = keysOf(String(await client.call('INFO', 'keyspace')));
    const { isEmpty: _over, ...named } = history;
    return keys > (text === '' ? 0 : 1) ? named : history;
  }

  async #read(client: RedisClientLike): Promise<{ reading: Reading; text: string }> {
    const [, , , , replies] = await Promise.all([
      client.call('MULTI'),
      client.call('INFO', 'replication'),
      client.call('INFO', 'server'),
      client.call('GET', this.#key),
      client.call('EXEC'),
    ]);
    for (const reply of replies as unknown[]) if (reply instanceof Error) throw reply;
    const [info, server, text] = (replies as unknown[]).map(reply => (reply === null ? '' : String(reply)));
    const replication = replicationOf(info!);
    const history = text === '' ? undefined : this.#parse(text!);
    if (history !== undefined) this.#remember(history);
    const instance = fieldsOf(server!).get('run_id') ?? '';
    const position = positionIn(history, replication);
    const cluster = clusterOf(history, replication, this.#known);
    return { reading: { replication, history, position, instance, cluster }, text: text! };
  }

  #parse(text: string): History {
    try {
      return readHistory(text);
    } catch (error) {
      const message = `the key ${this.#key} holds something else than the history of the servers: ${text.slice(0, 100)}`;
      throw new Error(message, { cause: error });
    }
  }

  #remember(history: History): void {
    const { replid } = history;
    this.#known.set(replid, later(history, this.#known.get(replid))!);
    if (this.#known.size <= maxKnown) return;
    const [oldest] = [...this.#known.values()].sort((one, other) => one.term - other.term);
    this.#known.delete(oldest!.replid);
  }
}

function passOverRefusals(error: unknown): void {
  if (!isRefusal(error)) throw error;
}
