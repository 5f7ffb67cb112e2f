export type State = 'new' | 'waiting' | 'delayed' | 'active' | 'gone';

/** A message of one group. */
export interface Stored {
  readonly id: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly key: string | undefined;
  readonly priority: number;
  /** In the order of publishing. */
  readonly sequence: number;
  readonly expiresAt: number;
  state: State;
  deliveries: number;
  failures: number;
  progress: Uint8Array | undefined;
}

export type PublishedFields = Pick<
  Stored,
  'id' | 'body' | 'headers' | 'key' | 'priority' | 'sequence' | 'expiresAt'
>;

/** A message that was just published. Written out, as a spread takes longer than all else. */
export function stored({ id, body, headers, key, priority, sequence, expiresAt }: PublishedFields): Stored {
  return {
    id,
    body,
    headers,
    key,
    priority,
    sequence,
    expiresAt,
    state: 'new',
    deliveries: 0,
    failures: 0,
    progress: undefined,
  };
}

/** How many messages of a group are in each state. */
export class States {
  readonly #counts: Record<State, number> = { new: 0, waiting: 0, delayed: 0, active: 0, gone: 0 };

  become(item: Stored, state: State): void {
    this.#counts[item.state]--;
    this.#counts[state]++;
    item.state = state;
  }

  of(state: State): number {
    return this.#counts[state];
  }
}
