import { makeGenericClientConstructor, type ServiceDefinition } from '@grpc/grpc-js';

/** Messages are bytes. */
export function same(value: Buffer): Buffer {
  return value;
}

const plain = {
  requestStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

/** A service that needs no generated code. */
export const echo: ServiceDefinition = {
  Say: { ...plain, path: '/test.Echo/Say', responseStream: false },
  List: { ...plain, path: '/test.Echo/List', responseStream: true },
};

export const Echo: ReturnType<typeof makeGenericClientConstructor> = makeGenericClientConstructor(
  echo,
  'test.Echo',
);
