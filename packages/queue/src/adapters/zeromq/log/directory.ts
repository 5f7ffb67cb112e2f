import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * With its parents. The recursive `mkdir` of Node.js never ends where a parent is there and takes no directory, as below
 * `/proc`.
 */
export async function makeDirectory(path: string): Promise<void> {
  if (await isDirectory(path)) return;
  try {
    await make(path);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error;
    await makeDirectory(parent);
    await make(path);
  }
}

async function make(path: string): Promise<void> {
  await mkdir(path).catch(async error => {
    if (error.code !== 'EEXIST' || !(await isDirectory(path))) throw error;
  });
}

function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isDirectory(),
    () => false,
  );
}

/** So that a file that was made or renamed is there after a crash of the machine. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  await handle.sync().finally(() => handle.close());
}
