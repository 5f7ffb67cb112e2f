import { type Flags, flagsHelp, type GivenFlags, readFlags } from '../flags.ts';
import { exit, failed } from './ending.ts';

/** A program that does one thing with its flags and ends. */
export interface Command {
  /** What errors call it. */
  readonly name: string;
  /** What `--help` says before the flags. */
  readonly about: string;
  /** Besides `--help`. */
  readonly flags: Flags;
  /** What `--help` says after the flags. */
  readonly notes?: string;
  /** Gives the exit code; 0 where it gives none. @throws UsageError */
  run(given: GivenFlags): Promise<number | undefined> | number | undefined;
}

/** Runs the command with these arguments, or prints its help. Gives the exit code, 2 for a UsageError and 1 for any other. */
export async function perform(command: Command, args: readonly string[]): Promise<number> {
  const { name, about, notes } = command;
  const flags = { ...command.flags, help: { help: 'this text' } };
  try {
    const given = readFlags(args, flags);
    if (!given.has('help')) return (await command.run(given)) ?? 0;
    process.stdout.write(flagsHelp(about, flags) + (notes === undefined ? '' : `\n${notes}\n`));
    return 0;
  } catch (error) {
    return failed(name, error);
  }
}

/** Runs the command with the arguments of the process, and ends that with its exit code. */
export async function runCommand(command: Command): Promise<never> {
  process.stdout.on('error', () => process.exit(0)); // nobody reads on, as in `npm run bench | head`
  process.exitCode = await perform(command, process.argv.slice(2));
  return exit();
}
