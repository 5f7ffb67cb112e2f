import { nearest } from '@ashlar/core';
import { UsageError } from '../flags.ts';
import { type Command, perform } from './command.ts';
import { runProgram } from './run-program.ts';

/** Runs a program whose first argument names a command. Each command is given the signal of Ctrl-C. */
export function runCommands(
  name: string,
  overview: string,
  commands: Readonly<Record<string, (signal: AbortSignal) => Command>>,
): Promise<never> {
  return runProgram(name, async ([first, ...args], { signal }) => {
    if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
      process.stdout.write(overview);
      if (first === undefined) process.exitCode = 2;
      return;
    }
    const command = Object.hasOwn(commands, first) ? commands[first] : undefined;
    if (command === undefined) {
      const meant = nearest(first, Object.keys(commands));
      const advice = meant === undefined ? 'see --help' : `did you mean ${meant}?`;
      throw new UsageError(`there is no command ${JSON.stringify(first)}; ${advice}`);
    }
    process.exitCode = await perform(command(signal), args);
    signal.throwIfAborted();
  });
}
