import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process of this id exists, one that has ended but was not yet waited for excluded. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return process.platform !== 'linux' || statOf(pid)?.isZombie === false;
}

/** The running processes whose parent it is. */
export function childrenOf(pid: number): number[] {
  return processes().flatMap(each => (each.parent === pid && !each.isZombie ? [each.pid] : []));
}

/** The process and all that descend from it, parents first. Processes that end meanwhile may be missing. */
export function processTree(root: number): number[] {
  const all = processes();
  const tree = [root];
  for (const pid of tree) tree.push(...all.filter(({ parent }) => parent === pid).map(child => child.pid));
  return tree;
}

/** The CPU time that the process and all that descend from it have used so far, in milliseconds. Linux only. */
export function cpuTimeMs(root: number): number {
  return processTree(root).reduce((sum, pid) => sum + (statOf(pid)?.cpuMs ?? 0), 0);
}

/** Sends a signal to a process that may have ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Sends the signal to the process, to those that descend from it, and to its group; the ended are passed over.
 * Returns the processes. Children that are born meanwhile get it too: theirs is a signal that stops or kills,
 * so that parents, which get it first, have no more of them.
 */
export function signalTree(root: number, name: NodeJS.Signals): number[] {
  const sent = new Set<number>();
  for (let before = -1; sent.size > before; ) {
    before = sent.size;
    for (const pid of processTree(root)) {
      if (!sent.has(pid)) signal(pid, name);
      sent.add(pid);
    }
  }
  signal(-root, name);
  return [...sent];
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly isZombie: boolean;
  readonly cpuMs: number;
}

function processes(): Process[] {
  if (process.platform !== 'linux') {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' })
      .trim()
      .split('\n');
    return lines.map(line => {
      const [pid, parent, state = ''] = line.trim().split(/\s+/);
      return { pid: Number(pid), parent: Number(parent), isZombie: state.startsWith('Z'), cpuMs: Number.NaN };
    });
  }
  const names = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return names.map(name => statOf(Number(name))).filter(stat => stat !== undefined);
}

/** The kernel counts CPU time in ticks of 10 ms there, whatever its own are. */
const tickMs = 10;

function statOf(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name before may itself hold spaces and brackets
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { pid, parent: Number(fields[1]), isZombie: fields[0] === 'Z', cpuMs: ticks * tickMs };
  } catch {
    return undefined; // It has ended
  }
}
