import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Why node_modules is not what package-lock.json asks for; `undefined` when it is. npm itself notes in
 * node_modules/.package-lock.json what it installed. Packages beyond those asked for are left alone.
 *
 * @param {string} root the folder of package-lock.json
 * @returns {string | undefined}
 */
export function reasonToInstall(root) {
  const wanted = read(join(root, 'package-lock.json'));
  if (wanted === undefined) throw new Error(`there is no readable package-lock.json in ${root}`);
  const installed = read(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'node_modules is missing or incomplete';
  for (const [path, want] of Object.entries(wanted.packages)) {
    if (!/(^|\/)node_modules\//.test(path)) continue; // the root and the workspaces themselves
    if (want.link && !isFolder(join(root, want.resolved))) continue; // a workspace that is not in this checkout
    const has = installed.packages?.[path];
    if (has === undefined && isForElsewhere(want)) continue;
    if (has === undefined || !isFolder(join(root, path))) return `${path} is missing`;
    if (want.link !== has.link || (want.link && want.resolved !== has.resolved))
      return `${path} is linked otherwise`;
    if (want.version !== has.version) return `${path} is ${has.version}, and ${want.version} is asked for`;
    if (want.integrity && has.integrity && want.integrity !== has.integrity)
      return `${path} has other contents`;
  }
  return undefined;
}

/**
 * An optional package that npm rightly left out: for another platform, or needed by such a one only.
 *
 * @param {{ optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} entry of package-lock.json
 */
function isForElsewhere({ optional, os, cpu, libc }) {
  if (!optional) return false;
  const isForHere = os?.includes(process.platform) && cpu?.includes(process.arch) && libc === undefined;
  return !isForHere;
}

/** @param {string} path */
function isFolder(path) {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** @param {string} path */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
