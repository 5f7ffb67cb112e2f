import { createRequire } from 'node:module';
import { MissingPeerError } from '@ashlar/core';

type GrpcJs = typeof import('@grpc/grpc-js');

/** By this name, tools that copy what a server needs find the library, as those of Nitro and Vercel do. */
const require = createRequire(import.meta.url);

/** `#grpc` in Node. A plain import would fail without naming the command that installs grpc-js. */
function load(): GrpcJs {
  try {
    return require('@grpc/grpc-js') as GrpcJs;
  } catch (cause) {
    throw new MissingPeerError('@ashlar/lb/grpc', '@grpc/grpc-js', '@grpc/grpc-js@1', { cause });
  }
}

const grpc = load();

export const connectivityState: GrpcJs['connectivityState'] = grpc.connectivityState;
export const experimental: GrpcJs['experimental'] = grpc.experimental;
export const status: GrpcJs['status'] = grpc.status;
