/** What was tried of each: `yes` and `no` are what happened, `—` that it has nothing of the kind. */
export interface Trial {
  readonly ability: string;
  readonly of: Readonly<Record<string, (() => Promise<boolean>) | undefined>>;
}
