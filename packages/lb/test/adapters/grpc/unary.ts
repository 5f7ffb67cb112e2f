import { type MethodDefinition, type Server, ServerCredentials } from '@grpc/grpc-js';

const same = (value: Buffer) => value;

/** A method of bytes, one request and one response. */
export function unary(path: string): MethodDefinition<Buffer, Buffer> {
  return {
    ...{ path, requestStream: false, responseStream: false },
    ...{
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  };
}

/** Has a server listen on loopback, and says where. @param port any by default */
export function listening(server: Server, port = 0): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(`http://127.0.0.1:${bound}`);
      else reject(error);
    });
  });
}
