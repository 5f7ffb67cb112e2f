import type { DeadLetter, Delivery } from '../../src/index.ts';
import type { MessageModel } from './message-model.ts';

type Complain = (complaint: string) => void;

/** Whether these may be all dead letters of a group. */
export function compareDead(
  messages: ReadonlyMap<string, MessageModel>,
  letters: readonly DeadLetter[],
  complain: Complain,
): void {
  const found = new Map(letters.map(letter => [letter.id, letter]));
  for (const [id, message] of messages) {
    const letter = found.get(id);
    found.delete(id);
    if (message.state === 'unsure' || message.mayBeTwo) continue;
    const isUnderWay = message.holding?.settling?.how === 'dead';
    if (letter === undefined && message.state === 'dead')
      complain(`${message.text} is missing among the dead`);
    if (letter !== undefined && message.state !== 'dead' && !isUnderWay) {
      complain(`${message.text} is ${message.state}, and among the dead`);
    }
    if (letter === undefined || message.state !== 'dead') continue;
    compareContents(message, letter, complain);
    if (letter.failures !== message.failures) {
      complain(`the dead ${message.text} has ${letter.failures} failures in place of ${message.failures}`);
    }
    if (letter.deliveries !== message.deliveries) {
      complain(
        `the dead ${message.text} has ${letter.deliveries} deliveries in place of ${message.deliveries}`,
      );
    }
  }
  for (const id of found.keys()) complain(`a message that nobody published is dead: ${JSON.stringify(id)}`);
}

/** Whether it is what was published. */
export function compareContents(
  { sent, text }: MessageModel,
  found: Pick<Delivery, 'body' | 'headers' | 'key'>,
  complain: Complain,
): void {
  if (Buffer.compare(sent.body, found.body) !== 0) complain(`${text} came with another body`);
  if (sent.key !== found.key) complain(`${text} came with another key`);
  if (sortedJson(sent.headers) !== sortedJson(found.headers)) complain(`${text} came with other headers`);
}

function sortedJson(headers: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1)));
}
