import { createRequire } from 'node:module';
import { MissingPeerError } from '../http/errors.ts';

type GrpcJs = typeof import('@grpc/grpc-js');

/** What `#grpc` is in Node itself, where a plain import would fail without saying what to do. */
function load(): GrpcJs {
  try {
    return createRequire(import.meta.url)('@grpc/grpc-js') as GrpcJs;
  } catch (cause) {
    const message = '@ashlar/lb/grpc needs @grpc/grpc-js: run `npm install @grpc/grpc-js@1`';
    throw new MissingPeerError(message, { cause });
  }
}

const grpc = load();

export const connectivityState: GrpcJs['connectivityState'] = grpc.connectivityState;
export const experimental: GrpcJs['experimental'] = grpc.experimental;
export const status: GrpcJs['status'] = grpc.status;
