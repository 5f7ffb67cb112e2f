import { chmodSync, chownSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryRoot } from './reaper.ts';
import type { User } from './user.ts';

/** A new folder, owned by `user`, which is removed at the latest when this process ends, also by SIGKILL. */
export function temporaryDirectory(label = 'work', user?: User): string {
  const path = mkdtempSync(join(temporaryRoot(), `${label}-`));
  chmodSync(path, 0o755);
  if (user !== undefined) chownSync(path, user.uid, user.gid);
  return path;
}
