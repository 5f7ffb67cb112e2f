import type { ReplicaSetSnapshot } from '@ashlar/replica-failover';
import type { Shop } from '../clusters/cluster.ts';
import type { Call } from './traffic.ts';

export const columnMs = 100;

/** What has happened in a tenth of a second. */
export interface Column {
  readonly calls: Record<Call, number>;
  /** How the shop saw each server at its end, in the order of the servers. */
  readonly servers: string;
}

/** How a server is drawn. */
export const marks = { primary: 'P', replica: 'r', down: 'x', fenced: 'F' } as const;

/** Notes what the shop does and sees, and tells what it finds out, until it is disposed of. */
export class Timeline implements Disposable {
  readonly columns: Column[] = [];
  readonly #shop: Shop;
  readonly #tell: (event: string) => void;
  readonly #timer: NodeJS.Timeout;
  #calls = noCalls();
  #before: ReplicaSetSnapshot;

  constructor(shop: Shop, tell: (event: string) => void) {
    this.#shop = shop;
    this.#tell = tell;
    this.#before = shop.snapshot();
    this.#timer = setInterval(() => this.#look(), columnMs);
  }

  note(call: Call): void {
    this.#calls[call]++;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const snapshot = this.#shop.snapshot();
    for (const [index, { id, state, isFenced }] of snapshot.servers.entries()) {
      const was = this.#before.servers[index]!;
      if (was.state !== 'down' && state === 'down')
        this.#tell(`${id} does not answer: nothing is sent there`);
      if (was.state === 'down' && state === 'up') this.#tell(`${id} answers again`);
      if (isFenced && !was.isFenced) this.#tell(`${id} was primary in an earlier term: it is fenced`);
    }
    const { primary, term } = snapshot;
    if (primary !== this.#before.primary) this.#tell(`${primary} is primary now, of term ${term}`);
    this.#before = snapshot;
    this.columns.push({ calls: this.#calls, servers: drawn(snapshot) });
    this.#calls = noCalls();
  }
}

function noCalls(): Record<Call, number> {
  return { write: 0, unknown: 0, failed: 0, read: 0 };
}

function drawn({ servers, primary }: ReplicaSetSnapshot): string {
  return servers
    .map(({ id, state, role, isFenced }) => {
      if (state !== 'up') return marks.down;
      if (id === primary) return marks.primary;
      return isFenced || role === 'primary' ? marks.fenced : marks.replica;
    })
    .join('');
}
