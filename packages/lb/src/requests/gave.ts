/**
 * Results are made of classes where an object literal would do, like all that requests make by the thousand and that
 * holds on to more than numbers. V8 may come to put what a literal makes straight into the old generation, which is
 * seldom collected: there each keeps alive what it refers to, in the proxy a whole request. That can double its cost.
 */
export class Gave<T> {
  readonly value: T;
  constructor(value: T) {
    this.value = value;
  }
}

export class Threw {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}
