import { pathToFileURL } from 'node:url';
import { AshlarError } from '@ashlar/core';

/** The file of a `--config` cannot be used; the message is one line. */
export class ConfigError extends AshlarError {
  static override readonly code: string = 'PROGRAM_CONFIG';
}

/** What the ES module exports. @throws ConfigError when it cannot be loaded */
export async function importConfig(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    const [line] = String(error instanceof Error ? error.message : error).split('\n', 1);
    throw new ConfigError(`--config ${file} cannot be loaded: ${line}`, { cause: error });
  }
}
