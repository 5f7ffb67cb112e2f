import { MissingVersionError } from '../../errors.ts';
import { maxChunkBytes } from '../../publish/chunks.ts';
import type { Manifest, VersionInfo } from '../../publish/pointer.ts';
import type { Vault } from '../../publish/vault.ts';
import { builderHere, builderInWorker, type TableBuilder, tableFor } from './table-builder.ts';
import type { Table } from './table-code.ts';

/** Makes a builder in another thread; replaced in tests. */
export type StartBuilder = (table: Table) => TableBuilder;

export interface SharedLoad {
  readonly table: Table;
  /** Why the table was built in this thread after all. */
  readonly workerError?: unknown;
}

/**
 * Reads a whole version into a table of shared memory, which a worker fills. Where that is not possible, or the worker dies, this
 * thread does it, chunk by chunk. While it does, this table and the one before it are in memory, and two chunks.
 *
 * @throws MissingVersionError, RangeError when the version does not fit
 */
export async function loadTable(
  vault: Vault,
  info: VersionInfo,
  signal: AbortSignal,
  start: StartBuilder = builderInWorker,
): Promise<SharedLoad> {
  const manifest = await vault.manifest(info.version);
  // For so little, a thread takes longer to start than to be of use
  if (manifest.bytes <= maxChunkBytes) return { table: await filled(vault, manifest, signal, builderHere) };
  try {
    return { table: await filled(vault, manifest, signal, start) };
  } catch (error) {
    if (!(error instanceof BuilderBrokenError)) throw error;
    return { table: await filled(vault, manifest, signal, builderHere), workerError: error.cause };
  }
}

/** Tells what the builder throws from what the store does. Does not leave this file. */
class BuilderBrokenError extends Error {}

async function filled(
  vault: Vault,
  manifest: Manifest,
  signal: AbortSignal,
  start: StartBuilder,
): Promise<Table> {
  const { version, chunks } = manifest;
  const table = tableFor(manifest);
  await using builder = begun(start, table);
  let adding: Promise<void> = Promise.resolve();
  for (const { id, digest } of chunks) {
    signal.throwIfAborted();
    const bytes = await vault.unchecked(version, id);
    await adding; // The next one is read while one is added
    adding = added(builder, bytes, digest).then(isWhole => {
      if (!isWhole) throw new MissingVersionError(vault.name, version, `chunk ${id} is damaged`);
    });
    adding.catch(() => {}); // It is awaited in its turn, or not at all
  }
  await adding;
  return table;
}

function begun(start: StartBuilder, table: Table): TableBuilder {
  try {
    return start(table);
  } catch (cause) {
    throw new BuilderBrokenError('the builder does not start', { cause });
  }
}

async function added(builder: TableBuilder, bytes: Uint8Array, digest: string): Promise<boolean> {
  try {
    return await builder.add(bytes, digest);
  } catch (cause) {
    throw new BuilderBrokenError('the builder is broken', { cause });
  }
}
