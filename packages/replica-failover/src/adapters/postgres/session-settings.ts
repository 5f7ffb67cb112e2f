/** Tags of statements that change settings of a session, or might. */
const changing = new Set(['SET', 'RESET', 'DISCARD ALL']);
const local = /^\s*SET\s+(LOCAL|TRANSACTION)\b[^;]*;?\s*$/i;
const anyConfig = /\bset_config\s*\(/i;
const localConfig = /^[^;]*\bset_config\s*\([^()]*,\s*true\s*\)[^;]*;?\s*$/i;

/**
 * Whether what was sent on a connection has changed settings of its session: by what the server says that it has executed,
 * and for `set_config`, which has no tag of its own, by the text. What is local to a transaction ends with it.
 */
export class SessionSettings {
  #isChanged = false;
  #localSent = 0;

  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** @param text undefined where a statement has another form */
  sent(text: string | undefined): void {
    if (text === undefined) return;
    if (local.test(text)) this.#localSent++;
    else if (anyConfig.test(text) && !localConfig.test(text)) this.#isChanged = true;
  }

  /** @param tag of a statement that was executed */
  executed(tag: string): void {
    if (!changing.has(tag)) return;
    if (tag === 'SET' && this.#localSent > 0) this.#localSent--;
    else this.#isChanged = true;
  }

  /** All that was sent is answered: what failed has no tag. */
  answered(): void {
    this.#localSent = 0;
  }

  /** They are as they were, or what has changed them is not of interest. */
  forget(): void {
    this.#isChanged = false;
  }
}
