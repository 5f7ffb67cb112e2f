import { readdir, readFile } from 'node:fs/promises';

/** Linux reports CPU time in ticks of 10 ms, whatever the kernel's own. */
const tickMs = 10;

/** The CPU time that a process and all its descendants have used so far, in milliseconds. Linux only. */
export async function cpuTimeMs(pid: number): Promise<number> {
  const processes = await Promise.all(
    (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(name => readStat(Number(name))),
  );
  const family = new Set([pid]);
  // Parents have lower ids as a rule, not always: go on until nobody joins
  for (let before = 0; before < family.size; ) {
    before = family.size;
    for (const stat of processes) if (stat && family.has(stat.parent)) family.add(stat.pid);
  }
  const ticks = processes.reduce((sum, stat) => sum + (stat && family.has(stat.pid) ? stat.ticks : 0), 0);
  return ticks * tickMs;
}

async function readStat(pid: number): Promise<{ pid: number; parent: number; ticks: number } | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything; what follows is numbers
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { pid, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
}
