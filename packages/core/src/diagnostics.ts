/** A named channel of events. Check `hasSubscribers` before building a message. */
export interface Channel<M> {
  readonly hasSubscribers: boolean;
  publish(message: M): void;
}

interface DiagnosticsChannelModule {
  channel(name: string): Channel<unknown>;
}

interface ProcessLike {
  getBuiltinModule?(id: string): DiagnosticsChannelModule | undefined;
}

const silent: Channel<unknown> = { hasSubscribers: false, publish() {} };

/**
 * The `node:diagnostics_channel` of that name. In a browser, where there are none, a channel that never has a
 * subscriber.
 */
export function channel<M>(name: `ashlar:${string}:${string}`): Channel<M> {
  const { process } = globalThis as { process?: ProcessLike };
  const module = process?.getBuiltinModule?.('node:diagnostics_channel');
  return (module?.channel(name) ?? silent) as Channel<M>;
}
