import { type RulesFor, readOptions, required } from '@ashlar/core';
import { DuplicateNodeError, EmptyPlacementError } from '../errors.ts';
import { mix32 } from '../hash/murmur3.ts';
import { requireAccept } from '../nodes/preference.ts';
import { readAdded, readNodes, weightRule } from '../nodes/read-nodes.ts';
import { TablePlacement } from '../nodes/table-placement.ts';
import type { Key, RingNode } from '../placement.ts';
import { type Hash, hash, ofKeys } from '../rules.ts';

export interface RendezvousHashOptions {
  /** Any 32-bit hash of a key. Default: `murmur3`, MurmurHash3 x86 32 of its UTF-8 bytes. */
  readonly hash?: (key: Key) => number;
}

const rules = { hash } satisfies RulesFor<RendezvousHashOptions>;

const newWeight = required(weightRule);

interface Candidate {
  readonly id: string;
  readonly weight: number;
  readonly seedA: number;
  readonly seedB: number;
}

interface Contest {
  /** Those of weight above 0, ordered by id. */
  readonly candidates: readonly Candidate[];
  /** With equal weights the draws order the nodes as the scores would, and no logarithm is needed. */
  readonly weighted: boolean;
}

/**
 * Rendezvous or highest-random-weight hashing (Thaler and Ravishankar, 1998; weights as by Schindelhauer and Schomaker,
 * 2005): every node draws a number for the key, and the highest wins. Shares are even to within chance, also with any
 * weights; memory is a few words a node; a look-up visits every node, so use it for up to some dozens of them. A key moves
 * only when its own node leaves, or to a node that joins.
 *
 * The score of a node of weight w is w / −ln(u), where u in (0, 1) is drawn by 32 bits from the hashes of key and id; of
 * two equal scores the smaller id wins. Placement does not depend on the order of the nodes.
 */
export class RendezvousHash extends TablePlacement {
  readonly #hash: Hash;
  #contest: Contest = { candidates: [], weighted: false };

  /** @throws InvalidOptionError, DuplicateNodeError */
  constructor(nodes: Iterable<string | RingNode> = [], options: RendezvousHashOptions = {}) {
    super();
    this.#hash = ofKeys(readOptions('RendezvousHash', options, rules).hash);
    for (const node of readNodes(nodes)) this.table.add(node);
    this.#update();
  }

  get(key: Key): string {
    const contest = this.#contest;
    const index = next(contest, this.#hash(key), Infinity, -1);
    if (index === -1) throw new EmptyPlacementError();
    return contest.candidates[index]!.id;
  }

  find(key: Key, accept: (id: string) => boolean): string | undefined {
    const hash = this.#hash(key);
    requireAccept(accept);
    // Kept for the whole walk, should `accept` change the placement
    const contest = this.#contest;
    let index = next(contest, hash, Infinity, -1);
    while (index !== -1) {
      const candidate = contest.candidates[index]!;
      if (accept(candidate.id)) return candidate.id;
      index = next(contest, hash, scoreOf(candidate, contest.weighted, hash), index);
    }
    return undefined;
  }

  /** @throws DuplicateNodeError, InvalidOptionError */
  add(node: string | RingNode, ...more: []): void {
    const checked = readAdded(node, more);
    if (this.has(checked.id)) throw new DuplicateNodeError(checked.id);
    this.table.add(checked);
    this.#update();
  }

  /** @throws UnknownNodeError */
  remove(id: string): void {
    this.table.remove(id);
    this.#update();
  }

  /** Only keys of this node move, or to it. @throws UnknownNodeError, InvalidOptionError */
  setWeight(id: string, weight: number): void {
    this.table.change(id, { weight: newWeight(weight, 'weight') });
    this.#update();
  }

  #update(): void {
    const live = Array.from(this.table.members(), ({ node }) => node).filter(({ weight }) => weight > 0);
    const weighted = live.some(({ weight }) => weight !== live[0]!.weight);
    const candidates = live
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, weight }) => ({ id, weight, seedA: this.#hash(id), seedB: this.#hash(`${id}\0`) }));
    this.#contest = { candidates, weighted };
  }
}

/** The candidate with the highest score behind that of the candidate at `index`; -1 when there is none. */
function next({ candidates, weighted }: Contest, hash: number, score: number, index: number): number {
  let best = -1;
  let bestScore = -1;
  for (let i = 0; i < candidates.length; i++) {
    const own = scoreOf(candidates[i]!, weighted, hash);
    if (own > bestScore && (own < score || (own === score && i > index))) {
      best = i;
      bestScore = own;
    }
  }
  return best;
}

function scoreOf({ seedA, seedB, weight }: Candidate, weighted: boolean, hash: number): number {
  const draw = mix32(mix32(hash ^ seedA) + seedB);
  return weighted ? weight / -Math.log((draw + 0.5) / 2 ** 32) : draw;
}
