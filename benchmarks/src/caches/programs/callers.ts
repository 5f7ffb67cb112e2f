import { callersHere, type Question } from '../callers.ts';

const [library, port, prefix] = process.argv.slice(2) as [string, string, string];
const callers = await callersHere(library, { port: Number(port), prefix });

process.on('message', async ({ key, callers: number }: Question) => {
  process.send!(await callers.ask(key, number));
});
process.on('disconnect', () => process.exit());
process.send!(0);
