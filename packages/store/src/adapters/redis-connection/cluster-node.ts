import type { Argument, Client } from './client.ts';
import { replyCode } from './replies.ts';

/** A primary of a cluster, as the user's client knows it. */
export interface Primary {
  /** Host and port. */
  readonly address: string;
  call(command: string, args: readonly string[]): Promise<unknown>;
  /** A client for one connection to it. */
  client(): Promise<Client>;
}

/** The primaries of a cluster, until `end`. */
export interface Scout {
  readonly primaries: readonly Primary[];
  end(): void;
}

type Listener = (...args: never[]) => void;
type Slots = readonly (readonly [
  first: number,
  last: number,
  primary: readonly [unknown, unknown, id?: unknown],
])[];

/**
 * A connection to the primary that has one key, found anew at each `connect`. When the key has moved to another node, or is
 * on its way, the server's answer ends the connection.
 */
export class ClusterNode implements Client {
  readonly #key: string;
  readonly #explore: () => Promise<Scout>;
  readonly #listeners: (readonly [event: string, listener: Listener])[] = [];
  #client: Client | undefined;
  #node: string | undefined;
  #isEnded = false;

  constructor(key: string, explore: () => Promise<Scout>) {
    this.#key = key;
    this.#explore = explore;
  }

  /** Host and port, once they are known. */
  get node(): string | undefined {
    return this.#node;
  }

  get stream(): Client['stream'] {
    return this.#client?.stream;
  }

  on(event: string, listener: Listener): this {
    this.#listeners.push([event, listener]);
    this.#client?.on(event as 'end', listener as () => void);
    return this;
  }

  async connect(): Promise<void> {
    const scout = await this.#explore();
    try {
      const { address, client } = await primaryOf(scout.primaries, this.#key);
      if (this.#isEnded) throw new Error('the connection was closed');
      this.#node = address;
      this.#client = await client();
      for (const [event, listener] of this.#listeners)
        this.#client.on(event as 'end', listener as () => void);
    } finally {
      scout.end();
    }
    await this.#client.connect();
  }

  disconnect(): void {
    this.#isEnded = true;
    this.#client?.disconnect();
  }

  call(command: string, args: readonly Argument[]): Promise<unknown> {
    return this.#connected().call(command, args).catch(elsewhere);
  }

  callBuffer(command: string, args: readonly Argument[]): Promise<unknown> {
    return this.#connected().callBuffer(command, args).catch(elsewhere);
  }

  #connected(): Client {
    if (this.#client === undefined) throw new Error('the connection is not open');
    return this.#client;
  }
}

async function primaryOf(primaries: readonly Primary[], key: string): Promise<Primary> {
  const ask = (command: string, ...args: string[]) =>
    Promise.any(primaries.map(primary => primary.call('CLUSTER', [command, ...args])));
  const [slot, slots] = (await Promise.all([ask('KEYSLOT', key), ask('SLOTS')])) as [number, Slots];
  const row = slots.find(([first, last]) => first <= slot && slot <= last);
  if (row === undefined) throw new Error(`no node of the cluster has the slot ${slot} of its keys`);
  // by its identifier, as clients may reach a node by another address than the one it has in the cluster
  const id = String(row[2][2]);
  const found = primaries.map(async primary => {
    if (String(await primary.call('CLUSTER', ['MYID'])) === id) return primary;
    throw new Error('it is another node');
  });
  const primary = await Promise.any(found).catch(() => {
    throw new Error(`the primary ${row[2].slice(0, 2).join(':')} of the slot ${slot} cannot be reached`);
  });
  // It would refuse each command, and end the connection with that
  const info = await primary.call('CLUSTER', ['INFO']).catch(() => ''); // Not everybody may ask
  if (/^cluster_state:fail/m.test(String(info))) throw new Error('CLUSTERDOWN The cluster is down');
  return primary;
}

/** MOVED and ASK: not executed, and the key is to be found anew. */
function elsewhere(error: unknown): never {
  const code = replyCode(error);
  if (code !== 'MOVED' && code !== 'ASK') throw error;
  throw Object.assign(new Error(`ELSEWHERE ${(error as Error).message}`, { cause: error }), {
    name: 'ReplyError',
  });
}
