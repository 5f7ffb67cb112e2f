import type { Fill, ReadOptions, TierRead, TierSession } from '../remote-tier.ts';
import { Batches, type BatchLimits } from './batches.ts';

interface KeyRead {
  readonly key: string;
  readonly options: ReadOptions;
}

type KeyLease = Pick<Fill, 'key' | 'lease'>;

const limits: BatchLimits<unknown> = {
  ...{ most: 500, mostBytes: 1_048_576, atOnce: 4 },
  bytesOf: () => 0,
  fits: () => true,
};

/** The reads, fills and releases of one session, key by key for its cache and in batches for its tier. */
export class SessionBatches {
  readonly #reads: Batches<KeyRead, TierRead>;
  readonly #fills: Batches<Fill, boolean>;
  readonly #releases: Batches<KeyLease, boolean>;

  /** @param failed is called once for each batch that fails, however many keys it has */
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
    const lengthOf = ({ entry }: Fill) => entry.value?.length ?? 0;
    this.#reads = new Batches<KeyRead, TierRead>(reads => counted('read', () => read(reads)), {
      ...limits,
      fits: asFirst,
    });
    this.#fills = new Batches<Fill, boolean>(fills => counted('fill', () => session.fill(fills)), {
      ...limits,
      bytesOf: lengthOf,
    });
    this.#releases = new Batches<KeyLease, boolean>(
      leases => counted('release', () => session.release(leases)),
      limits,
    );
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
}
