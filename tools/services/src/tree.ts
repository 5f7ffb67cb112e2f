import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The process and all that descend from it, parents first. Processes that end meanwhile may be missing. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const [pid, parent] of parents()) {
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/**
 * Sends the signal to the process, to those that descend from it, and to its group; the ended are passed over.
 * Returns the processes. Children that are born meanwhile get it too: theirs is a signal that stops or kills,
 * so that parents, which get it first, have no more of them.
 */
export function signalTree(root: number, signal: NodeJS.Signals): number[] {
  const sent = new Set<number>();
  for (let before = -1; sent.size > before; ) {
    before = sent.size;
    for (const pid of processTree(root)) {
      if (!sent.has(pid)) send(pid, signal);
      sent.add(pid);
    }
  }
  send(-root, signal);
  return [...sent];
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether a process of this id exists, one that has ended but was not yet waited for excluded. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return stateOf(pid) !== 'Z';
}

function parents(): [pid: number, parent: number][] {
  if (process.platform !== 'linux') {
    const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
    return table
      .trim()
      .split('\n')
      .map(line => line.trim().split(/\s+/).map(Number) as [number, number]);
  }
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      const fields = statOf(Number(name));
      return fields === undefined ? [] : [[Number(name), Number(fields[1])]];
    });
}

function stateOf(pid: number): string | undefined {
  return process.platform === 'linux' ? statOf(pid)?.[0] : undefined;
}

/** The fields of /proc/<pid>/stat after the command's name, which may itself hold spaces and brackets. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
