import { HashRing, type Movement, murmur3 } from '@ashlar/hash-ring';

export interface DemoNode {
  readonly id: string;
  readonly color: number;
  readonly weight: number;
  readonly down: boolean;
  /** What it owns of all hashes, 0 to 1. */
  readonly share: number;
  /** What it would own if shares followed weights exactly. */
  readonly fairShare: number;
  readonly ranges: Movement['ranges'];
}

export interface Change {
  readonly what: string;
  /** The part of all keys that changed owner, 0 to 1. */
  readonly moved: number;
  readonly movements: readonly Movement[];
  /** What `hash(key) % n` would have moved; absent where the number of nodes did not change. */
  readonly movedByModulo?: number;
}

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(letter => `cache-${letter}`);
const nobody = new HashRing(['nobody']);

/** A ring that one can play with: what it looks like, and what the last change moved. */
export class RingDemo {
  #ring: HashRing;
  #vnodes: number;
  readonly #down = new Set<string>();
  change: Change | undefined;

  constructor(count: number, vnodes: number) {
    this.#vnodes = vnodes;
    this.#ring = new HashRing(ids.slice(0, count), { vnodes });
  }

  get vnodes(): number {
    return this.#vnodes;
  }

  get isFull(): boolean {
    return this.#ring.nodes().length === ids.length;
  }

  nodes(): DemoNode[] {
    // What would move to a ring of one other node is what each node has
    const owned = new Map(this.#ring.movesTo(nobody).map(movement => [movement.from, movement]));
    return this.#ring
      .nodes()
      .map(({ id, weight = 1 }) => ({
        id,
        color: ids.indexOf(id),
        weight,
        down: this.#down.has(id),
        share: owned.get(id)?.share ?? 0,
        fairShare: this.#ring.shareOf(id),
        ranges: owned.get(id)?.ranges ?? [],
      }))
      .sort((a, b) => a.color - b.color);
  }

  /** The nodes that a key prefers, the owner first; and where it lies on the circle. */
  lookUp(key: string): { hash: number; order: string[] } {
    return { hash: murmur3(key), order: this.#ring.getN(key, 3) };
  }

  add(): void {
    const id = ids.find(unused => !this.#ring.has(unused));
    if (id !== undefined) this.#apply(`${id} joined`, () => this.#ring.add(id));
  }

  remove(id: string): void {
    this.#apply(`${id} left`, () => this.#ring.remove(id));
    this.#down.delete(id);
  }

  setDown(id: string, down: boolean): void {
    if (down) this.#down.add(id);
    else this.#down.delete(id);
    this.#apply(down ? `${id} is down` : `${id} is back`, () => this.#ring.setDown(id, down));
  }

  setWeight(id: string, weight: number): void {
    this.#apply(`${id} has weight ${weight}`, () => this.#ring.setWeight(id, weight));
  }

  setVnodes(vnodes: number): void {
    this.#vnodes = vnodes;
    this.#apply(`A node has ${vnodes} ${vnodes === 1 ? 'point' : 'points'}`, () => {
      this.#ring = new HashRing(this.#ring.nodes(), { vnodes });
      for (const id of this.#down) this.#ring.setDown(id, true);
    });
  }

  #apply(what: string, change: () => void): void {
    const before = this.#ring.clone();
    change();
    const movements = before.movesTo(this.#ring);
    const moved = movements.reduce((sum, { share }) => sum + share, 0);
    const [from, to] = [before.size, this.#ring.size];
    const modulo = from === to || from === 0 || to === 0 ? {} : { movedByModulo: moduloMoves(from, to) };
    this.change = { what, moved, movements, ...modulo };
  }
}

/** The part of all hashes whose remainder differs when they are divided by one number or another. */
export function moduloMoves(before: number, after: number): number {
  const period = before * after;
  let moved = 0;
  for (let hash = 0; hash < period; hash++) if (hash % before !== hash % after) moved++;
  return moved / period;
}

/** The change in a sentence. */
export function told({ what, moved, movements, movedByModulo }: Change): string {
  if (movements.length === 0) return `${what}: no key moved.`;
  const sources = new Set(movements.map(({ from }) => from));
  const targets = new Set(movements.map(({ to }) => to));
  const only =
    targets.size === 1
      ? `, all of them to ${[...targets][0]}`
      : sources.size === 1
        ? `, all of them from ${[...sources][0]}`
        : '';
  const modulo =
    movedByModulo === undefined ? '' : ` With hash(key) % n it would have been ${percent(movedByModulo)}.`;
  return `${what}: ${percent(moved)} of the keys moved${only}.${modulo}`;
}

export function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
