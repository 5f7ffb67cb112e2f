import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type CatalogEntry, catalog, type ServiceName } from './catalog.ts';

/** The URL of a server of this service that the user runs, from the environment. */
export function urlOf(service: ServiceName, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return catalog[service].urls.map(name => env[name]).find(url => url !== undefined && url !== '');
}

/**
 * The path of the service's program (or header) on this machine: what `ASHLAR_<SERVICE>_PROGRAM` of `env` names, else by its
 * PATH and the usual folders.
 */
export function locate(service: ServiceName, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const entry = catalog[service];
  const variable = `ASHLAR_${service.toUpperCase()}_PROGRAM`;
  const given = env[variable];
  if (given !== undefined && given !== '') {
    if (!isFile(given, constants.X_OK)) throw new Error(`${variable} names no program: ${given}`);
    return given;
  }
  const onPath = (env['PATH'] ?? '').split(delimiter).filter(folder => folder !== '');
  const usual = entry.folders.flatMap(expand);
  const folders = {
    path: [...onPath, ...usual],
    folders: [...usual, ...onPath],
    header: usual,
  }[entry.order];
  const mode = entry.order === 'header' ? constants.R_OK : constants.X_OK;
  return folders
    .map(folder => join(folder, entry.file))
    .find(path => isFile(path, mode) && majorVersion(path, entry) >= (entry.atLeast ?? 0));
}

function isFile(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What the program itself says, where that matters; 0 where it says nothing. */
function majorVersion(path: string, { atLeast }: CatalogEntry): number {
  if (atLeast === undefined) return 0;
  try {
    return Number(/\d+/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[0] ?? 0);
  } catch {
    return 0;
  }
}

/** The folders that a pattern with one `*` stands for, the highest number first. */
function expand(pattern: string): string[] {
  const [before, after] = pattern.split('*');
  if (before === undefined || after === undefined) return [pattern];
  try {
    return readdirSync(before)
      .sort((a, b) => Number.parseFloat(b) - Number.parseFloat(a))
      .map(name => before + name + after);
  } catch {
    return [];
  }
}
