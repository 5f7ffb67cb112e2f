import pg from 'pg';

/** The process dies at the n-th statement that matches: before it is sent, when it is sent and not answered, or once it is answered. */
export interface Death {
  readonly at: string;
  readonly n: number;
  readonly when: 'before' | 'sent' | 'after';
}

/** Makes clients of a process that is to die. */
export function dyingClient({ at, n, when }: Death): (connectionString: string) => pg.Client {
  const pattern = new RegExp(at);
  let seen = 0;
  const die = () => process.kill(process.pid, 'SIGKILL');
  return connectionString => {
    const client = new pg.Client({ connectionString });
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    const dying = async (...args: unknown[]) => {
      const isIt = typeof args[0] === 'string' && pattern.test(args[0]) && ++seen === n;
      if (isIt && when === 'before') die();
      const answer = query(...args);
      // What is written is on its way: loopback loses nothing
      if (isIt && when === 'sent') setImmediate(die);
      const result = await answer;
      if (isIt && when === 'after') die();
      return result;
    };
    return Object.assign(client, { query: dying }) as unknown as pg.Client;
  };
}
