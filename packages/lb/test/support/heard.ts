import { subscribe, unsubscribe } from 'node:diagnostics_channel';

/** What is told on a channel of the package from now until `stop`. */
export function heard(event: string): { readonly messages: unknown[]; stop(): unknown[] } {
  const messages: unknown[] = [];
  const listen = (message: unknown) => void messages.push(message);
  const channel = `ashlar:lb:${event}`;
  subscribe(channel, listen);
  const stop = () => {
    unsubscribe(channel, listen);
    return messages;
  };
  return { messages, stop };
}
