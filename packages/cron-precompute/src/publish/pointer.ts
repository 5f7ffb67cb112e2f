import type { Chunk } from './chunks.ts';

/** A version that readers may have, and what is known of it. Times are milliseconds since 1970. */
export interface VersionInfo {
  readonly version: number;
  /** The tick of its run. */
  readonly scheduledAt: number;
  readonly publishedAt: number;
  /** When its run began to read the source: what it holds is as old as this. */
  readonly dataAt: number;
  /** As `dataAt`, of the last run that read everything. */
  readonly fullAt: number;
  /** Distinct keys. */
  readonly entries: number;
  /** Keys whose value is `null`. */
  readonly nulls: number;
  readonly bytes: number;
}

/** A version that a run writes, or that a crash has left behind. */
export interface BuildRef {
  readonly version: number;
  /** Of every attempt that has written chunks of it. */
  readonly tokens: readonly string[];
}

/** Which version is served, and who may publish. One value of the store, which changes by compare-and-set alone. */
export interface Pointer {
  /** 0 before anything was published. */
  readonly current: number;
  /** The greatest number that a build was given. */
  readonly last: number;
  /** The newest attempt that has begun to build: all others are refused. */
  readonly fence: { readonly token: string; readonly holder: string };
  /** Runs up to and with this time do not publish: one has, or a rollback has put a stop to them. */
  readonly floor: number;
  readonly isHeld: boolean;
  /** What is kept, the oldest first. */
  readonly versions: readonly VersionInfo[];
  /** What is kept no longer, and since when. Deleted after the grace of the readers. */
  readonly retired: readonly { readonly version: number; readonly at: number }[];
  readonly builds: readonly BuildRef[];
}

export const noPointer: Pointer = {
  current: 0,
  last: 0,
  fence: { token: '0', holder: '' },
  floor: 0,
  isHeld: false,
  versions: [],
  retired: [],
  builds: [],
};

/** What a version is made of: written once, before the pointer goes to it. */
export interface Manifest {
  readonly version: number;
  readonly entries: number;
  readonly nulls: number;
  readonly bytes: number;
  readonly dataAt: number;
  readonly fullAt: number;
  readonly chunks: readonly Chunk[];
  /** Chunks that were written on the way, and belong to no version. */
  readonly leftovers: readonly string[];
  /** Of the digests of the chunks. */
  readonly digest: string;
}

/** The version that readers have now. */
export function currentOf({ versions, current }: Pointer): VersionInfo | undefined {
  return versions.find(({ version }) => version === current);
}
