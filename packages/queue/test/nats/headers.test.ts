import { randomUUID } from 'node:crypto';
import { connect, headers as emptyHeaders, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { type NatsServer, startNats } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fieldsOf, parseHeaders } from '../../src/adapters/nats/raw-headers.ts';

/** As nats-core reads them. */
const readBy = (message: Msg) =>
  Object.fromEntries((message.headers?.keys() ?? []).map(name => [name, message.headers!.get(name)]));

describeWith('nats', 'headers of NATS', () => {
  let server: NatsServer;
  let connection: NatsConnection;
  beforeAll(async () => {
    server = await startNats();
    connection = await connect({ servers: `127.0.0.1:${server.port}` });
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  const cases: readonly (readonly [what: string, pairs: readonly (readonly [string, string])[]])[] = [
    ['none', []],
    [
      'some',
      [
        ['ce-id', '17'],
        ['Nats-Msg-Id', 'x'],
        ['ashlar-key', 'k'],
      ],
    ],
    [
      'a name twice, of which the first counts',
      [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
      ],
    ],
    [
      'names in both cases',
      [
        ['A', '1'],
        ['a', '2'],
      ],
    ],
    [
      'colons, blanks and nothing',
      [
        ['a', 'b: c'],
        ['b', '  d  '],
        ['c', ''],
      ],
    ],
    ['what is not ASCII', [['a', 'ß→𝄞']]],
  ];

  /** One message as it is received. */
  async function received(pairs: readonly (readonly [string, string])[], body: Uint8Array): Promise<Msg> {
    const subject = randomUUID();
    const first = connection.subscribe(subject, { max: 1 })[Symbol.asyncIterator]().next();
    const headers = emptyHeaders();
    for (const [name, value] of pairs) headers.append(name, value);
    connection.publish(subject, body, { ...(pairs.length > 0 && { headers }), reply: 'answer.here' });
    return (await first).value!;
  }

  for (const [what, pairs] of cases) {
    for (const size of [0, 3, 70_000]) {
      it(`are read as nats-core reads them, and faster: ${what}, before ${size} bytes`, async () => {
        const message = await received(pairs, Buffer.alloc(size, '\r\n'));
        const packet = Object.create(message, {
          headers: {
            get: () => {
              if (pairs.length > 0) throw new Error('they were not read from the packet');
              return undefined;
            },
          },
        }) as Msg;
        expect(Object.fromEntries(fieldsOf(packet))).toEqual(readBy(message));
      });
    }
  }

  it('are read by nats-core where its data is no view of the packet', async () => {
    const message = await received([['a', '1']], Buffer.from('body'));
    const copied = Object.create(message, { data: { value: new Uint8Array(message.data) } }) as Msg;
    expect(Object.fromEntries(fieldsOf(copied))).toEqual({ a: '1' });
  });

  it('of a stored message may be missing or damaged', () => {
    const of = (text: string) => Object.fromEntries(parseHeaders(Buffer.from(text).toString('base64')));
    expect(parseHeaders(undefined).size).toBe(0);
    expect(of('NATS/1.0\r\na: 1\r\nb:2\r\n\r\n')).toEqual({ a: '1', b: '2' });
    expect(of('NATS/1.0')).toEqual({});
    expect(of('NATS/1.0\r\nno colon\r\n: no name\r\na: 1')).toEqual({ a: '1' });
  });
});
