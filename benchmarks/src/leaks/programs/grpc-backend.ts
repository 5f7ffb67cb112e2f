import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { echo } from '../echo.ts';

type Call = { readonly request: Buffer };
type Answer = (error: object | null, value?: Buffer) => void;

/** How it answers is for the request to say. */
function say({ request }: Call, answer: Answer): void {
  const word = request.toString();
  if (word === 'silent') return;
  if (word === 'fail') answer({ code: status.INTERNAL, details: 'as told' });
  else if (word === 'unavailable') answer({ code: status.UNAVAILABLE, details: 'as told' });
  else answer(null, request);
}

/** Streams and breaks off, or goes on until it is canceled. */
function list(call: Call & { write(value: Buffer): void; destroy(error: Error): void }): void {
  call.write(Buffer.alloc(1_024));
  if (call.request.toString() === 'break') call.destroy(new Error('half-way'));
}

const server = new Server();
server.addService(echo, { Say: say, List: list });
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, port) => process.send!(port));
process.on('disconnect', () => process.exit());
