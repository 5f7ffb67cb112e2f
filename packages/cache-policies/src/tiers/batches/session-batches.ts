import type { Fill, ReadOptions, TierEntry, TierRead, TierSession } from '../remote-tier.ts';
import { Batches, type BatchLimits } from './batches.ts';

interface KeyRead {
  readonly key: string;
  readonly options: ReadOptions;
}

interface KeyWrite {
  readonly key: string;
  readonly entry: TierEntry;
}

interface KeyAnnouncement {
  readonly key: string;
  readonly leaseMs: number;
}

type KeyLease = Pick<Fill, 'key' | 'lease'>;

const limits: BatchLimits<unknown> = {
  ...{ most: 500, mostBytes: 1_048_576, atOnce: 4 },
  bytesOf: () => 0,
  fits: () => true,
};

function bytesOf({ entry }: KeyWrite): number {
  return entry.value?.length ?? 0;
}

/** The operations of one session, key by key for its cache and in batches for its tier. */
export class SessionBatches {
  readonly #reads: Batches<KeyRead, TierRead>;
  readonly #fills: Batches<Fill, boolean>;
  readonly #releases: Batches<KeyLease, boolean>;
  readonly #writes: Batches<KeyWrite, undefined>;
  readonly #invalidations: Batches<string, undefined>;
  readonly #announcements: Batches<KeyAnnouncement, string>;

  /** @param failed is called once for each batch of reads, fills or releases that fails, however many keys it has */
  constructor(session: TierSession, failed: (operation: string, error: unknown) => void) {
    const counted = async <T>(operation: string, work: () => Promise<T>) => {
      try {
        return await work();
      } catch (error) {
        failed(operation, error);
        throw error;
      }
    };
    const read = (reads: readonly KeyRead[]) =>
      session.read(
        reads.map(({ key }) => key),
        reads[0]!.options,
      );
    const asFirst = ({ options: first }: KeyRead, { options }: KeyRead) =>
      first.leaseMs === options.leaseMs && first.minFreshMs === options.minFreshMs;
    this.#reads = new Batches<KeyRead, TierRead>(reads => counted('read', () => read(reads)), {
      ...limits,
      fits: asFirst,
    });
    this.#fills = new Batches<Fill, boolean>(fills => counted('fill', () => session.fill(fills)), {
      ...limits,
      bytesOf,
    });
    this.#releases = new Batches<KeyLease, boolean>(
      leases => counted('release', () => session.release(leases)),
      limits,
    );
    const write = async (writes: readonly KeyWrite[]) => {
      await session.write(new Map(writes.map(({ key, entry }) => [key, entry])));
      return writes.map(() => undefined);
    };
    const invalidate = async (keys: readonly string[]) => {
      await session.invalidate(keys);
      return keys.map(() => undefined);
    };
    const announce = (all: readonly KeyAnnouncement[]) =>
      session.announce(
        all.map(({ key }) => key),
        all[0]!.leaseMs,
      );
    this.#writes = new Batches<KeyWrite, undefined>(write, { ...limits, bytesOf });
    this.#invalidations = new Batches<string, undefined>(invalidate, limits);
    this.#announcements = new Batches<KeyAnnouncement, string>(announce, {
      ...limits,
      fits: (first, { leaseMs }) => first.leaseMs === leaseMs,
    });
  }

  read(key: string, options: ReadOptions): Promise<TierRead> {
    return this.#reads.add({ key, options });
  }

  fill(fill: Fill): Promise<boolean> {
    return this.#fills.add(fill);
  }

  release(key: string, lease: string): Promise<boolean> {
    return this.#releases.add({ key, lease });
  }

  write(key: string, entry: TierEntry): Promise<void> {
    return this.#writes.add({ key, entry });
  }

  async invalidate(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map(key => this.#invalidations.add(key)));
  }

  announce(key: string, leaseMs: number): Promise<string> {
    return this.#announcements.add({ key, leaseMs });
  }
}
