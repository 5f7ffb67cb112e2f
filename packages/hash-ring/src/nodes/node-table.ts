import { UnknownNodeError } from '../errors.ts';
import type { RingNode } from '../placement.ts';
import { type CheckedNode, checkedId } from './read-nodes.ts';

interface Member {
  readonly slot: number;
  readonly node: CheckedNode;
  readonly down: boolean;
}

/**
 * The nodes of a placement that changes, each with a small integer, its slot, by which the arrays of the placement name
 * it. A slot is used again after its node has left.
 */
export class NodeTable {
  readonly #members = new Map<string, Member>();
  readonly #live: (string | undefined)[] = [];
  readonly #ids: string[] = [];
  readonly #freeSlots: number[] = [];
  readonly #zones = new Map<string, number>();
  #zoneless = 0;
  #liveCount = 0;
  /** `undefined` after a change: summed up at the next use, since a running sum of fractions drifts. */
  #liveWeight: number | undefined;

  /** The id of each slot whose node may own keys; `undefined` for the others. */
  get live(): readonly (string | undefined)[] {
    return this.#live;
  }

  get liveCount(): number {
    return this.#liveCount;
  }

  /** In how many zones the nodes lie; one without a zone counts as a zone of its own. */
  get zoneCount(): number {
    return this.#zones.size + this.#zoneless;
  }

  has(id: string): boolean {
    return this.#members.has(checkedId(id));
  }

  /** @throws UnknownNodeError, InvalidOptionError */
  member(id: string): Member {
    const member = this.#members.get(id);
    if (member === undefined) throw new UnknownNodeError(checkedId(id));
    return member;
  }

  zoneOf(id: string): string | undefined {
    return this.#members.get(id)?.node.zone;
  }

  /** The id of the node that has the slot, also when it may own no keys. */
  idAt(slot: number): string {
    return this.#ids[slot]!;
  }

  shareOf(id: string): number {
    const member = this.#members.get(checkedId(id));
    if (member === undefined || !isLive(member)) return 0;
    this.#liveWeight ??= this.#sumOfLiveWeights();
    return member.node.weight / this.#liveWeight;
  }

  members(): IterableIterator<Member> {
    return this.#members.values();
  }

  nodes(): RingNode[] {
    return Array.from(this.#members.values(), ({ node }) => node);
  }

  add(node: CheckedNode): Member {
    const slot = this.#freeSlots.pop() ?? this.#ids.length;
    const member: Member = { slot, node, down: false };
    this.#ids[slot] = node.id;
    this.#live[slot] = undefined;
    this.#members.set(node.id, member);
    this.#countZone(node.zone, 1);
    this.#countLive(member, 1);
    return member;
  }

  remove(id: string): Member {
    const member = this.member(id);
    this.#countLive(member, -1);
    this.#countZone(member.node.zone, -1);
    this.#members.delete(id);
    this.#freeSlots.push(member.slot);
    return member;
  }

  change(id: string, { weight, down }: { weight?: number; down?: boolean }): void {
    const before = this.member(id);
    const node = { ...before.node, weight: weight ?? before.node.weight };
    const after: Member = { slot: before.slot, node, down: down ?? before.down };
    this.#countLive(before, -1);
    this.#members.set(id, after);
    this.#countLive(after, 1);
  }

  #countLive(member: Member, by: 1 | -1): void {
    if (!isLive(member)) return;
    this.#liveCount += by;
    this.#liveWeight = undefined;
    this.#live[member.slot] = by === 1 ? member.node.id : undefined;
  }

  #sumOfLiveWeights(): number {
    let sum = 0;
    for (const member of this.#members.values()) if (isLive(member)) sum += member.node.weight;
    return sum;
  }

  #countZone(zone: string | undefined, by: 1 | -1): void {
    if (zone === undefined) {
      this.#zoneless += by;
      return;
    }
    const count = (this.#zones.get(zone) ?? 0) + by;
    if (count === 0) this.#zones.delete(zone);
    else this.#zones.set(zone, count);
  }
}

function isLive(member: Member): boolean {
  return !member.down && member.node.weight > 0;
}
